"""Which calls have a key, and what a key looks like."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from workerkit.idempotency import _key, _seconds_until, call_key


def task(*, idempotent=False, headers=None, **request):
    fields = {"id": "id-1", "headers": headers, "called_directly": False, "is_eager": False} | request
    return SimpleNamespace(name="app.tasks.demo.mark", idempotent=idempotent, request=SimpleNamespace(**fields))


@pytest.mark.parametrize("headers", [None, {}, {"idempotency-key": ""}, {"idempotency-key": None}])
def test_without_a_key_only_an_idempotent_task_has_one(headers):
    assert _key(task(headers=headers)) is None
    assert _key(task(headers=headers, idempotent=True)) == "id:id-1"
    assert call_key(task(headers=headers)) == "id-1"


def test_a_callers_key_is_never_that_of_an_id():
    given = {"idempotency-key": "id-1"}
    assert _key(task(headers=given)) == _key(task(headers=given, idempotent=True)) != _key(task(idempotent=True))
    assert call_key(task(headers=given)) == "app.tasks.demo.mark:id-1"


@pytest.mark.parametrize("odd", ["x" * 256, "line\nbreak", "nul\0", "half \ud800"])
def test_a_key_that_would_not_fit_everywhere_becomes_its_digest(odd):
    found = call_key(task(headers={"idempotency-key": odd}))
    assert found.isprintable()
    assert len(found) < 100
    assert found != call_key(task(headers={"idempotency-key": odd + "x"}))


def test_a_number_is_a_key_too():
    assert call_key(task(headers={"idempotency-key": 42})) == "app.tasks.demo.mark:42"


@pytest.mark.parametrize("plain", [{"called_directly": True}, {"is_eager": True}, {"id": None}])
def test_a_call_that_is_no_message_has_none(plain):
    assert _key(task(headers={"idempotency-key": "k"}, idempotent=True, **plain)) is None


def test_a_retry_is_due_at_a_time_or_in_seconds():
    now = datetime.now(UTC)
    assert 50 < _seconds_until(now + timedelta(seconds=60)) <= 60
    assert _seconds_until(now - timedelta(seconds=60)) == 0
    assert (_seconds_until(3), _seconds_until(None), _seconds_until(-1)) == (3, 0, 0)
