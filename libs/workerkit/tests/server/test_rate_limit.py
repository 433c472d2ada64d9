"""The bucket of a task's global rate limit, on a real server."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from devstack.valkey import Valkey
from workerkit.rate_limit import RateLimit, connect

TASK = "app.tasks.demo.limited"


def bucket(server: Valkey, limit: str, task: str = TASK) -> RateLimit:
    return RateLimit(connect(server.url), task, limit)


def run(limits: list[RateLimit], ids: list[str], seconds: float) -> tuple[list[float], dict[str, int]]:
    """Workers that ask for each message, and again when it is due; the starts, and how often each was put off."""
    starts: list[float] = []
    put_off = dict.fromkeys(ids, 0)
    end = time.time() + seconds

    def take(number_and_id: tuple[int, str]) -> None:
        number, one = number_and_id
        while time.time() < end:
            due = limits[number % len(limits)].due(one)
            if due is None:
                starts.append(time.time())
                return
            put_off[one] += 1
            time.sleep(max(0.0, min(due, end) - time.time()))

    with ThreadPoolExecutor(len(ids)) as threads:
        list(threads.map(take, enumerate(ids)))
    return sorted(starts), put_off


def test_a_lone_message_starts_at_once(valkey):
    assert bucket(valkey, "1/h").due("a") is None


def test_the_next_ones_book_starts_one_after_the_other(valkey):
    limit = bucket(valkey, "2/m")
    limit.due("a")
    dues = [limit.due(one) for one in "bcd"]

    assert [round(due - time.time()) for due in dues] == [30, 60, 90]


def test_asking_again_keeps_the_booking(valkey):
    limit = bucket(valkey, "2/m")
    limit.due("a")
    due = limit.due("b")

    assert limit.due("c") > due
    assert limit.due("b") == due


def test_all_workers_together_keep_the_limit_and_every_message_is_put_off_once(valkey):
    limits = [bucket(valkey, "10/s") for _ in range(3)]
    began = time.time()
    starts, put_off = run(limits, [str(number) for number in range(40)], seconds=30)

    assert len(starts) == 40
    assert starts[-1] - began > 3.8  # 39 intervals of 0.1 s
    for position in range(len(starts) - 15):  # 15 starts take 1.4 s; some come up to 0.25 s after their turn
        assert starts[position + 15] - starts[position] > 1.0
    assert sum(put_off.values()) < 1.3 * 39


def test_every_task_has_a_bucket_of_its_own(valkey):
    assert bucket(valkey, "1/h", "app.tasks.demo.one").due("a") is None
    assert bucket(valkey, "1/h", "app.tasks.demo.two").due("a") is None


def test_what_an_outage_has_held_up_does_not_start_all_at_once(valkey):
    limit = bucket(valkey, "10/s")
    ids = [str(number) for number in range(21)]
    booked = [limit.due(one) for one in ids]
    assert booked[0] is None
    time.sleep(2.5)  # nobody comes back: all of them are late

    starts, _ = run([limit], ids[1:], seconds=20)
    assert len(starts) == 20
    assert starts[15] - starts[0] > 1.0


def test_messages_that_come_late_because_workers_are_slow_are_not_put_off_again(valkey):
    limit = bucket(valkey, "10/s")
    limit.due("a")
    limit.due("b")
    time.sleep(1)

    assert limit.due("b") is None


def test_an_unused_limit_leaves_nothing_in_redis_for_ever(valkey):
    limit = bucket(valkey, "1/s")
    limit.due("a")
    limit.due("b")
    with valkey.client() as redis:
        keys = [key.decode() for key in redis.keys("workerkit:rate:*")]
        assert sorted(keys) == [f"workerkit:rate:{TASK}", f"workerkit:rate:{TASK}:booked"]
        assert all(0 < redis.ttl(key) <= 3602 for key in keys)


def test_a_full_redis_still_counts(own_valkey):
    limit = bucket(own_valkey, "1/m")
    with own_valkey.client() as redis:
        redis.config_set("maxmemory", 1)

        assert limit.due("a") is None
        assert limit.due("b") > time.time() + 30


def test_while_redis_is_away_messages_wait_a_second_or_two_and_nobody_waits_for_redis(own_valkey):
    limit = bucket(own_valkey, "1000/s")
    assert limit.due("a") is None
    own_valkey.kill()
    waits = []
    for number in range(50):
        asked = time.time()
        due = limit.due(str(number))
        assert due is not None
        waits.append((due - asked, due - time.time()))

    assert min(since for since, _ in waits) > 0.9
    assert max(left for _, left in waits) < 3
    assert max(left for _, left in waits) - min(left for _, left in waits) > 0.2  # not all at the same moment
    own_valkey.start()
    own_valkey.wait_ready()
    time.sleep(1.1)
    assert _eventually(lambda: limit.due("a"))


def test_a_frozen_redis_holds_the_loop_up_for_about_a_second(own_valkey):
    limit = bucket(own_valkey, "1000/s")
    limit.due("a")
    frozen = psutil.Process(own_valkey.pid)
    frozen.suspend()
    began = time.monotonic()
    due = limit.due("b")
    took = time.monotonic() - began
    frozen.resume()

    assert due is not None
    assert took < 15


def _eventually(due: Callable[[], float | None]) -> bool:
    end = time.monotonic() + 10
    while due() is not None and time.monotonic() < end:
        time.sleep(0.3)
    return time.monotonic() < end


@pytest.mark.parametrize("limit", ["0/s", "-1/m", "fast", "10/d", "", "inf/s"])
def test_a_limit_that_is_none_is_refused_by_name(valkey, limit):
    with pytest.raises(ValueError, match=r"app\.tasks\.demo\.limited: global_rate_limit"):
        bucket(valkey, limit)
