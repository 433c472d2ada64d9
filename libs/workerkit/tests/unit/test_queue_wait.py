"""How long a message has waited, by what its headers say."""

from types import ModuleType

import pytest

from workerkit.app import create_app
from workerkit.queue_wait import epoch, stamp, waited
from workerkit.settings import WorkerSettings

NOON = 1_893_499_200.0  # 2030-01-01T12:00Z


def test_the_wait_begins_when_it_is_published():
    assert waited({"x-published-at": NOON - 7, "eta": None}, NOON) == 7


@pytest.mark.parametrize("eta", ["2030-01-01T12:00:00+00:00", "2030-01-01T12:00:00", "2030-01-01T14:00:00+02:00"])
def test_or_at_its_eta(eta):
    assert waited({"x-published-at": NOON - 7, "eta": eta}, NOON + 2) == 2
    assert waited({"x-published-at": NOON - 7, "x-due-at": NOON, "eta": None}, NOON + 2) == 2


def test_an_eta_in_the_past_does_not_lengthen_it():
    assert waited({"x-published-at": NOON, "eta": "2029-01-01T12:00:00+00:00"}, NOON + 2) == 2


@pytest.mark.parametrize("headers", [{}, {"x-published-at": "noon"}, {"x-published-at": None, "eta": "noon"}])
def test_headers_that_say_nothing(headers):
    assert waited(headers, NOON) is None


def test_a_retry_gets_new_times():
    headers = {"x-published-at": 1.0, "x-due-at": 2.0, "eta": "2030-01-01T12:00:00+00:00"}
    stamp(headers)
    assert headers["x-published-at"] > NOON / 2
    assert headers["x-due-at"] == NOON


def test_the_due_time_of_another_message_is_not_kept():
    headers = {"x-due-at": 2.0, "eta": None}
    stamp(headers)
    assert "x-due-at" not in headers


@pytest.mark.parametrize("value", [None, 5, "", "tomorrow"])
def test_no_time(value):
    assert epoch(value) is None


@pytest.mark.parametrize(
    ("name", "limit"), [("max_queue_wait", 0), ("max_queue_wait", "1m"), ("global_rate_limit", "9/d")]
)
def test_a_wrong_limit_stops_the_boot_and_names_the_task(name, limit):
    app = create_app("shop", WorkerSettings(), ModuleType("celeryconfig"), tasks_package="no.such.package")

    def sell(count: int) -> int:
        return count

    with pytest.raises(ValueError, match=rf"app\.tasks\.shop\.sell: {name} is"):
        app.task(sell, name="app.tasks.shop.sell", lazy=False, shared=False, **{name: limit})
