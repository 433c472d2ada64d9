"""The nightly workflow through the images: fetched, loaded, computed, reported and mailed."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROWS = "SELECT (SELECT count(*) FROM flights), (SELECT count(DISTINCT day) FROM daily_statistics)"


def test_tasks_run_nightly(compose):
    tasks = Path(sys.executable).with_name("tasks")
    env = {**os.environ, "TASK_BROKER_URL": compose.broker_url}
    command = [tasks, "run", "nightly", "--json", "--timeout", "300"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=330, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = {key: step["result"] for key, step in json.loads(done.stdout)["steps"].items()}
    assert steps["load flights"]["loaded"] == steps["load flights"]["read"] > 300_000
    psql = ("exec", "-T", "postgres", "psql", "--username=worker", "--tuples-only", "--no-align", "--command", ROWS)
    assert compose(*psql).strip() == f"{steps['load flights']['loaded']}|365"
    mail = compose.mailbox.wait("ops@example.com")[0]
    assert {attachment["fileName"].rpartition(".")[2] for attachment in mail["attachments"]} == {"pdf", "csv"}
