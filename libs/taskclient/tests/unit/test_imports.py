"""The library stays light: who sends a task loads no framework."""

import subprocess
import sys

import pytest

HEAVY = ["celery", "kombu", "sqlalchemy", "fastapi", "typer", "rich", "click"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=60)


def test_the_client_imports_nothing_heavy():
    done = run(f"import sys, taskclient.client; print([name for name in {HEAVY} if name in sys.modules])")

    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_the_command_without_its_extra_says_what_to_install(missing):
    done = run(f"import sys; sys.modules['{missing}'] = None; from taskclient.cli import main; main()")

    assert done.returncode == 2
    assert "pip install 'taskclient[cli]'" in done.stderr
    assert "Traceback" not in done.stderr
