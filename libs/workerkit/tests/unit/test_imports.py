"""What must be importable without Celery stays so; and a worker's start loads nothing that few workers need."""

import json
import subprocess
import sys

import pytest

UNWANTED = {"click_repl", "prompt_toolkit", "flower", "redbeat", "fsspec", "celery.bin.celery", "sqlalchemy"}
SCRIPT = """
import json, sys, workerkit.__main__, workerkit.app, workerkit.storage, workerkit.single_instance, workerkit.progress
print(json.dumps([name for name in sys.modules]))
"""


@pytest.mark.parametrize("module", sorted(UNWANTED))
def test_a_worker_does_not_load(loaded, module):
    assert module not in loaded


def test_a_worker_loads_what_it_is_made_of(loaded):
    assert {"celery.bin.worker", "celery.bin.beat", "workerkit.task"} <= loaded


@pytest.fixture(scope="module")
def loaded():
    done = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


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
