import pickle

import pytest

from taskclient.errors import TaskFailed, TaskRejected, TaskRevoked
from taskclient.outcome import value_of
from taskclient.results import TaskRecord


def failure(result: object, status: str = "FAILURE") -> TaskFailed:
    with pytest.raises(TaskFailed) as caught:
        value_of(TaskRecord("id-1", status, result, "the traceback"))
    return caught.value


def stored(kind: str, *arguments: object) -> dict:
    return {"exc_type": kind, "exc_message": list(arguments), "exc_module": "builtins"}


def test_value():
    assert value_of(TaskRecord("id-1", "SUCCESS", {"a": 1})) == {"a": 1}


def test_failure():
    error = failure(stored("ValueError", "too late", 3))

    assert type(error) is TaskFailed
    assert str(error) == "Task id-1 failed: ValueError: too late, 3"
    assert (error.task_id, error.error_type, error.message) == ("id-1", "ValueError", "too late, 3")
    assert error.traceback == "the traceback"


def test_rejection():
    error = failure(stored("InvalidPayload", "Wrong.", [{"field": "to", "problem": "missing"}]))

    assert type(error) is TaskRejected
    assert error.errors == [{"field": "to", "problem": "missing"}]
    assert str(error) == "Task id-1 was rejected: InvalidPayload: Wrong."


@pytest.mark.parametrize("arguments", [[], ["Wrong."], ["Wrong.", "text"], ["Wrong.", ["text"]], ["a", [], "b"]])
def test_another_exception_of_that_name_is_a_failure(arguments):
    assert type(failure(stored("InvalidPayload", *arguments))) is TaskFailed


def test_revocation():
    error = failure(stored("TaskRevokedError", "expired"), "REVOKED")

    assert type(error) is TaskRevoked
    assert str(error) == "Task id-1 was revoked: TaskRevokedError: expired"


@pytest.mark.parametrize(
    ("result", "kind", "message"),
    [
        (None, "Unknown", "None"),
        ("text", "Unknown", "text"),
        ({}, "Unknown", ""),
        ({"exc_type": "X", "exc_message": "one text"}, "X", "one text"),
    ],
)
def test_odd_records_still_become_a_failure(result, kind, message):
    error = failure(result)

    assert (error.error_type, error.message) == (kind, message)


def test_errors_can_be_pickled():
    rejected = failure(stored("InvalidPayload", "Wrong.", [{"field": "to", "problem": "missing"}]))

    for error in (failure(stored("ValueError", "x")), rejected):
        copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
        assert type(copy) is type(error)
        assert vars(copy) == vars(error)
