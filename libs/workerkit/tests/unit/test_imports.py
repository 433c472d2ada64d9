"""What must be importable without Celery stays so."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    [
        "workerkit.errors",
        "workerkit.health",
        "workerkit.settings",
        "workerkit.contract",
        "workerkit.once",
        "workerkit.outbox",
    ],
)
def test_no_celery(module):
    code = f"import sys, {module}; print('celery' in sys.modules, 'kombu' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
