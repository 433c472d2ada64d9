"""The examples of the README that need Docker, run as they stand there, on ports of the test."""

from devstack.examples import console_examples
from devstack.services import ROOT


def test_the_docker_example_runs_and_prints_what_it_says(compose):
    with_docker = console_examples(ROOT / "README.md")[1]
    assert with_docker.commands[0][0] == "docker compose up -d --wait"
    port = compose.env["REDIS_PORT"]
    with_docker.run(ROOT, compose.env | {"TASK_BROKER_URL": f"redis://localhost:{port}/0", "COLUMNS": "200"})
    assert compose.mailbox.wait("ada@example.com")
