"""What the start of a worker loads: no shell, no plugin of Celery's command, nothing that few workers need."""

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
