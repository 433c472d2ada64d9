"""What the thread of the lease does while the main thread of a worker stands still."""

from collections.abc import Iterator
from functools import partial

import pytest
from redis.connection import Connection, parse_url

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from workerkit.transport import registry
from workerkit.transport.holder import Holder, Options
from workerkit.transport.link import Link

QUEUE = "keeper"


@pytest.fixture
def connect(valkey: Valkey) -> partial[Link]:
    return partial(Link, Connection, parse_url(valkey.url))


@pytest.fixture
def holder(connect: partial[Link]) -> Iterator[Holder]:
    taken = registry.take(Options("keeper", 60.0, 3, "1"), ("keeper",), connect)
    registry.started(taken, lambda: None)
    yield taken
    registry.leave()


def test_what_was_claimed_ahead_and_does_not_move_goes_back_soon(
    valkey: Valkey, connect: partial[Link], holder: Holder
) -> None:
    with valkey.client() as client:
        wait_for(lambda: client.zcard("worker:keeper:holders") == 1)  # the thread has ticked, and sleeps now
        client.lpush(QUEUE, "first", "second", "third")
        link = connect()
        holder.step(link, [QUEUE], 3)
        assert client.llen(QUEUE) == 0
        holder.take()
        wait_for(lambda: client.llen(QUEUE) == 2, seconds=1.5)
        assert client.lrange(QUEUE, 0, -1) == [b"third", b"second"]
        link.close()
