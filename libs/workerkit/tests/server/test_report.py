"""What the command line shows of the settings."""

import subprocess
import sys
from pathlib import Path


def test_a_report_of_the_settings_shows_no_password(tmp_path):
    demo = Path(__file__).parent / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "demo_app", "report"],
        cwd=demo,
        env={"TRACES": str(tmp_path), "TASK_BROKER_URL": "redis://:hush@localhost:1/0"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "hush" not in done.stdout
