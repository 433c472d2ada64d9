"""A message that is due in a moment is handed to Celery with that moment by the worker's own clock."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest

from taskclient.message import build_message
from workerkit.transport.feeder import Feeder
from workerkit.transport.holder import Held, Holder, Options

Delivered = list[dict[str, Any]]


@pytest.fixture
def holder() -> Holder:
    return Holder(Options("clock"))


@pytest.fixture
def delivered() -> Delivered:
    return []


@pytest.fixture
def feeder(holder: Holder, delivered: Delivered) -> Iterator[Feeder]:
    def deliver(message: dict[str, Any], _queue: str) -> bool:
        delivered.append(message)
        return True

    feeder = Feeder(holder, BytesIO(), BytesIO(), lambda: 1, deliver)  # connections that are not used here
    feeder.queues = ["clock"]
    yield feeder
    feeder.close()


def claim(holder: Holder, due: float) -> None:
    raw = build_message("t", {}, queue="clock", task_id="1", eta=datetime.fromtimestamp(due, UTC))
    holder.books.held["1"] = Held("clock", raw, 0)
    holder.books.waiting.append("1")


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_what_is_left_of_the_waiting_is_the_same_by_any_clock(
    holder: Holder, feeder: Feeder, delivered: Delivered, ahead: float
):
    holder._ahead = ahead  # as a step finds out from Redis' answer
    claim(holder, holder.now() + 0.4)
    feeder._deliver_waiting()
    eta = datetime.fromisoformat(delivered[0]["headers"]["eta"]).timestamp()
    assert 0 < eta - time.time() <= 0.4


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_what_has_waited_has_nothing_left(holder: Holder, feeder: Feeder, delivered: Delivered, ahead: float):
    holder._ahead = ahead
    claim(holder, holder.now() - 0.01)
    feeder._deliver_waiting()
    assert delivered[0]["headers"]["eta"] is None
