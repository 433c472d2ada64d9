"""The processor's decisions, without Celery and without a server."""

import pytest

from app.processors.example_processor import ExampleProcessor
from workerkit.errors import PermanentError


def test_it_adds_up():
    assert ExampleProcessor(limit=10).process([1, 2, 3]).total == 6


def test_a_number_over_the_limit_is_refused():
    with pytest.raises(PermanentError, match=r"over the limit of 10: \[11\]"):
        ExampleProcessor(limit=10).process([1, 11])
