"""The tasks' contracts, and how a retry finds its time."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from app.config import Settings
from app.errors import Busy, NotYet
from app.tasks import ingestion
from workerkit.errors import InvalidPayload, PermanentError, TransientError
from workerkit.settings import InvalidSettings

SERVICE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("task", "payload", "fields"),
    [
        ("fetch_data", {"source": "http://10.0.0.1/"}, {"source"}),
        ("fetch_data", {"source": "Flights"}, {"source"}),
        ("fetch_data", {}, {"source"}),
        ("fetch_external_data", {"api": "airports", "record": "../healthz", "more": 1}, {"record", "more"}),
    ],
)
def test_a_wrong_payload_names_its_fields(task, payload, fields):
    with pytest.raises(InvalidPayload) as caught:
        getattr(ingestion, task)(**payload)
    assert {error["field"] for error in caught.value.errors} == fields


def test_without_settings_nothing_is_fetched():
    with pytest.raises(PermanentError, match="SOURCES, which names none at all"):
        ingestion.file_processor().fetch("flights", print)


def test_the_time_limits_leave_room_for_the_deadline():
    task = ingestion.fetch_data
    assert Settings().fetch_deadline_seconds < task.soft_time_limit < task.time_limit < 3600


def test_wrong_settings_are_named(monkeypatch):
    monkeypatch.setenv("SOURCES", '{"flights": "file:///etc/passwd"}')
    monkeypatch.setenv("APIS", '{"airports": "http://host/airports"}')
    with pytest.raises(InvalidSettings, match=r"(?s)SOURCES\.FLIGHTS.*APIS\.AIRPORTS"):
        Settings()


class FakeTask:
    """A task in its fourth run."""

    def __init__(self):
        self.request = SimpleNamespace(retries=3)

    def retry(self, exc, countdown):
        return RuntimeError(self.request.retries + 1, countdown, exc)


@pytest.mark.parametrize(("error", "next_retry"), [(Busy("busy", 7), 4), (NotYet("not yet", 7), 3)])
def test_a_pause_is_kept_and_only_a_failure_uses_up_a_retry(error, next_retry):
    with pytest.raises(RuntimeError) as caught, ingestion._pauses(FakeTask()):
        raise error
    assert caught.value.args == (next_retry, 7, error)


@pytest.mark.parametrize("error", [PermanentError("no"), TransientError("later"), ValueError("bug")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)) as caught, ingestion._pauses(FakeTask()):
        raise error
    assert caught.value is error


def test_an_error_survives_the_result_backend():
    error = Busy("busy", 7)
    assert str(Busy(*error.args)) == str(error) == "busy"
