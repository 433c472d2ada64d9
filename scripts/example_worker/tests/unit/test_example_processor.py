"""The processor's decisions, without Celery and without a server."""

import subprocess
import sys

import pytest

from app.processors.example_processor import ExampleProcessor
from workerkit.errors import PermanentError


def test_it_adds_up():
    assert ExampleProcessor(limit=10).process([1, 2, 3]).total == 6


def test_a_number_over_the_limit_is_refused():
    with pytest.raises(PermanentError, match=r"over the limit of 10: \[11\]"):
        ExampleProcessor(limit=10).process([1, 11])


def test_the_processor_imports_no_celery():
    code = "import sys, app.processors.example_processor; print('celery' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
