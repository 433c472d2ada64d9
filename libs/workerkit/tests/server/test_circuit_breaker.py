"""Circuit breakers on a real Valkey: in this process, and in real workers that call a real HTTP server."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest
from celery import Celery
from celery.exceptions import Retry
from structlog.testing import capture_logs

from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from workerkit.circuit_breaker import CircuitOpen, _Circuit, circuit_breaker
from workerkit.errors import PermanentError, TransientError

TOOLBOX = Path(__file__).parent / "toolbox"
PROCESSES = 4


class Remote(ThreadingHTTPServer):
    """An HTTP server that answers with `status` and remembers when it was busy."""

    daemon_threads = True
    status = 500

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.busy = []
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        began = time.monotonic()
        time.sleep(0.05)
        self.server.busy.append((began, time.monotonic()))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def remote():
    with Remote() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def start(valkey, tmp_path):
    @contextmanager
    def start_worker():
        arguments = (*WORKER, "--concurrency", str(PROCESSES))
        options = {"folder": tmp_path, "arguments": arguments}
        with WorkerProcess(valkey, TOOLBOX, "toolbox_app", **options) as worker, TaskClient(valkey.url) as client:
            yield worker, client

    return start_worker


def test_a_dead_service_gets_a_handful_of_thousands_of_calls_and_comes_back_by_itself(start, remote, record_property):
    with start() as (_worker, client):
        began = time.monotonic()
        handles = [client.send("app.tasks.toolbox.hammer", url=remote.url, seconds=4) for _ in range(PROCESSES)]
        outcomes = sum((Counter(handle.result(60)) for handle in handles), Counter())
        # All processes may be calling when the fifth failure comes; then one probe a second.
        probes = time.monotonic() - began + 1
        record_property("calls while the service is dead", outcomes.total())
        record_property("requests that it saw", len(remote.busy))
        assert outcomes.total() > 1000
        assert outcomes["answered"] == 0
        assert len(remote.busy) == outcomes["failed"]
        assert 5 < len(remote.busy) <= 5 + PROCESSES - 1 + probes
        after_opening = sorted(remote.busy)[5 + PROCESSES - 1 :]
        assert all(ended <= begins for (_, ended), (begins, _) in pairwise(after_opening))

        remote.status = 200
        handles = [client.send("app.tasks.toolbox.call", url=remote.url) for _ in range(20)]
        assert [handle.result(60) for handle in handles] == ["answered"] * 20
        outcomes = client.send("app.tasks.toolbox.hammer", url=remote.url, seconds=1).result(60)
        assert set(outcomes) == {"answered"}


@pytest.fixture
def current(valkey, monkeypatch):
    """An application of this process, which is no worker."""
    monkeypatch.setattr(_Circuit, "_away_until", 0.0)
    with Celery("here", broker=valkey.url) as app:
        app.set_current()
        yield app


def attempt(error=None, name="remote", reset_seconds=60.0):
    with circuit_breaker(name, fail_max=3, reset_seconds=reset_seconds):
        if error:
            raise error


def fail(times, **options):
    for _ in range(times):
        with pytest.raises(TransientError, match="away"):
            attempt(TransientError("away"), **options)


def error_of(call, *arguments):
    try:
        call(*arguments)
    except Exception as error:  # noqa: BLE001  - whatever it is
        return error


def expect_open(**options):
    with pytest.raises(CircuitOpen) as caught:
        attempt(AssertionError("ran"), **options)
    return str(caught.value)


def test_some_failures_in_a_row_open_the_circuit_of_this_name_only(current):
    fail(3)
    message = expect_open()
    assert message.startswith("'remote' was not called, because calls to it have failed. It is tried again in ")
    attempt(name="another")


def test_a_success_between_the_failures_and_a_refused_request_keep_it_closed(current):
    for answer in (None, PermanentError("no such user")):
        fail(2)
        with suppress(PermanentError):
            attempt(answer)
        fail(2)
        attempt()
    for _ in range(10):
        with pytest.raises(PermanentError):
            attempt(PermanentError("no such user"))
    attempt()


def test_any_other_error_is_a_failure_and_stays_what_it_is(current):
    for _ in range(3):
        with pytest.raises(ConnectionResetError, match="reset"):
            attempt(ConnectionResetError("reset"))
    expect_open()


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), Retry(), CircuitOpen("another")], ids=repr)
def test_what_tells_nothing_about_the_remote_counts_neither_way(current, error):
    fail(2)
    for _ in range(5):
        with pytest.raises(type(error)):
            attempt(error)
    fail(1)
    expect_open()


def test_a_failed_probe_opens_it_again_and_a_good_one_closes_it(current):
    fail(3, reset_seconds=0.3)
    time.sleep(0.4)
    with capture_logs() as logs:
        fail(1, reset_seconds=0.3)
        expect_open(reset_seconds=0.3)
        time.sleep(0.4)
        attempt(reset_seconds=0.3)
    assert [line["event"] for line in logs] == ["circuit opened", "circuit closed"]
    fail(2)
    attempt()


def test_a_probe_that_found_the_request_wrong_closes_it(current):
    fail(3, reset_seconds=0.1)
    time.sleep(0.2)
    with pytest.raises(PermanentError):
        attempt(PermanentError("no such user"))
    attempt()


def test_a_probe_that_was_cut_off_leaves_the_turn_to_the_next(current):
    fail(3, reset_seconds=0.1)
    time.sleep(0.2)
    with pytest.raises(SystemExit):
        attempt(SystemExit())
    fail(1)
    expect_open()


def test_while_the_probe_runs_nobody_else_gets_through(current):
    fail(3, reset_seconds=0.1)
    time.sleep(0.2)
    with circuit_breaker("remote", reset_seconds=0.1):
        message = expect_open()
        assert float(message.split()[-2]) > 10  # when the probe's process must be dead
        time.sleep(0.3)
        expect_open()
    attempt()


def test_of_many_threads_one_is_the_probe(current):
    fail(3, reset_seconds=0.1)
    time.sleep(0.2)
    ready, spared = threading.Barrier(20), threading.Semaphore(0)

    def probe(_):
        ready.wait()
        try:
            with circuit_breaker("remote", reset_seconds=0.1):
                assert all(spared.acquire(timeout=60) for _ in range(19))  # it takes until all others have tried
        except CircuitOpen:
            spared.release()
            return "spared"
        return "probe"

    with ThreadPoolExecutor(20, initializer=current.set_current) as pool:
        assert Counter(pool.map(probe, range(20))) == {"probe": 1, "spared": 19}


def test_failures_at_the_same_time_are_all_counted_and_open_it_once(current, valkey):
    inside = threading.Barrier(20)

    @circuit_breaker("remote", fail_max=20)
    def call():
        inside.wait()
        raise TransientError("away")

    def work(_):
        with pytest.raises(TransientError, match="away"):
            call()

    with ThreadPoolExecutor(20, initializer=current.set_current) as pool:
        list(pool.map(work, range(20)))
    with valkey.client() as redis:
        assert redis.hget("workerkit:breaker:remote", "failures") == b"20"
        assert redis.ttl("workerkit:breaker:remote") > 0
    expect_open()


def test_a_late_failure_does_not_prolong_the_rest(current, valkey):
    until = []

    @circuit_breaker("remote", fail_max=3)
    def call():
        fail(3)
        until.append(retry_at())
        raise TransientError("late")

    def retry_at():
        with valkey.client() as redis:
            return redis.hget("workerkit:breaker:remote", "retry_at")

    with pytest.raises(TransientError, match="late"):
        call()
    assert until == [retry_at()] != [None]


def test_a_decorated_function_is_guarded_and_gives_its_result(current):
    @circuit_breaker("remote", fail_max=3)
    def double(number):
        return 2 * number

    assert double(21) == 42
    fail(3)
    with pytest.raises(CircuitOpen):
        double(21)


def test_without_redis_each_call_goes_through_and_the_log_says_so_once(current):
    current.conf.broker_url = "redis://127.0.0.1:1/0"
    with capture_logs() as logs:
        fail(10)
        attempt()
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "the circuit breaker lets calls through, Redis is away")
    ]


def test_redis_that_dies_during_the_call_costs_nothing_and_works_when_it_is_back(own_valkey, monkeypatch):
    monkeypatch.setattr(_Circuit, "_away_until", 0.0)
    with Celery("here", broker=own_valkey.url) as app:
        app.set_current()
        fail(2)
        with circuit_breaker("remote", fail_max=3):
            own_valkey.kill()
        fail(5)
        own_valkey.start()
        own_valkey.wait_ready()
        monkeypatch.setattr(_Circuit, "_away_until", 0.0)
        wait_for(lambda: isinstance(error_of(attempt, TransientError("away")), CircuitOpen))
