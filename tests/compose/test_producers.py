"""The producer of the documents that needs redis-cli alone, with the one in the image of Redis."""

import json
import subprocess

from devstack.services import ROOT

SCRIPT = ROOT / "docs" / "examples" / "send_with_redis_cli.sh"
NAME = "app.tasks.email.send_email"


def test_redis_cli_sends_a_task_and_reads_its_result(compose):
    def send(**payload):
        command = ["sh", SCRIPT, NAME, json.dumps(payload)]
        environment = compose.env | {"REDIS_CLI": "docker compose exec -T redis redis-cli --no-auth-warning"}
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    sent = send(to="shell@example.com", subject="Grüße", body="from a shell")
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["result"]["recipients"] == ["shell@example.com"]
    assert compose.mailbox.wait("shell@example.com")
    refused = send(subject="Hello")
    assert refused.returncode == 1
    assert json.loads(refused.stderr)["result"]["exc_type"] == "InvalidPayload"
