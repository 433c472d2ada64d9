"""The task's contract, without a server."""

import pytest

from app.tasks.example import process
from workerkit.errors import InvalidPayload


def test_a_payload_becomes_a_result():
    assert process(numbers=["1", 2]) == {"total": 3}


def test_a_wrong_payload_names_its_fields():
    with pytest.raises(InvalidPayload) as caught:
        process(numbers=["one"], more=1)
    assert {error["field"] for error in caught.value.errors} == {"numbers.0", "more"}
