"""What a worker refuses to start with: real workers on real servers, their log line and their exit code."""

import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.ports import free_port
from devstack.postgres import Postgres
from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from workerkit.startup.problem import EXIT_CODE

Start = Callable[..., WorkerProcess]
STARTER = Path(__file__).parent / "starter"
PRODUCTION = {"ENVIRONMENT": "production", "SKIP_STARTUP_CHECKS": "root"}


@pytest.fixture
def start(tmp_path: Path, run_worker: Start) -> Start:
    def start_one(server: Valkey, *more: str, **settings: str) -> WorkerProcess:
        arguments = [*WORKER, *more]
        process = WorkerProcess(
            server,
            STARTER,
            "starter_app",
            folder=tmp_path,
            arguments=arguments,
            settings={"LOG_FORMAT": "json"} | settings,
        )
        return run_worker(process, ready=False)

    return start_one


def refusal(worker: WorkerProcess) -> str:
    """The log of a worker that has refused to start; its last words, not a traceback."""
    wait_for(lambda: not worker.alive(), seconds=60)
    log = worker.log.read_text()
    assert worker.exit_code() == EXIT_CODE, log
    assert "the worker refuses to start" in log
    assert "Traceback" not in log
    return log


def test_an_evicting_redis(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("maxmemory", "100mb")

        assert "maxmemory-policy allkeys-lru" in refusal(start(own_valkey))
        assert not redis.exists("workerkit:catalog")  # it was never ready, and has published nothing


def test_an_evicting_policy_without_a_maxmemory_does_no_harm(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")

    start(own_valkey).wait_ready()


def test_no_append_only_file_in_production(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.config_set("appendonly", "no")

    assert "set appendonly yes" in refusal(start(own_valkey, **PRODUCTION))


def test_no_append_only_file_in_development(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.config_set("appendonly", "no")

    start(own_valkey).wait_ready()


def test_a_good_server_in_production(valkey: Valkey, start: Start) -> None:
    start(valkey, **PRODUCTION).wait_ready()


def test_a_skipped_check_is_told_and_does_not_stop_the_start(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.config_set("appendonly", "no")
    worker = start(own_valkey, ENVIRONMENT="production", SKIP_STARTUP_CHECKS="root, append-only-file")
    worker.wait_ready()

    assert "a start-up check is skipped: Redis writes no append-only file" in worker.log.read_text()


class OldRedis(socketserver.ThreadingTCPServer):
    """Passes everything on to a real server, which says in its answers that it is an old one."""

    daemon_threads = True

    def __init__(self, server: Valkey, version: bytes) -> None:
        self.server = server
        with server.client() as client:
            self.real = client.info("server")["redis_version"].encode()
        assert len(version) == len(self.real)  # the answer says how long it is
        self.version = version
        super().__init__(("127.0.0.1", 0), Relay)
        self.url = server.url.replace(f":{server.port}/", f":{self.server_address[1]}/")


class Relay(socketserver.BaseRequestHandler):
    server: OldRedis

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.server.port)) as upstream:
            threading.Thread(target=self._copy, args=(self.request, upstream), daemon=True).start()
            self._copy(upstream, self.request)

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        real, version = b"redis_version:" + self.server.real, b"redis_version:" + self.server.version
        try:
            while data := source.recv(1 << 20):
                target.sendall(data.replace(real, version))
            target.shutdown(socket.SHUT_RDWR)
        except OSError:  # the other side has hung up
            return


def test_an_old_redis(valkey: Valkey, start: Start) -> None:
    with OldRedis(valkey, b"6.0.9") as old:
        threading.Thread(target=old.serve_forever, daemon=True).start()
        worker = start(valkey, TASK_BROKER_URL=old.url)
        log = refusal(worker)
        old.shutdown()

    assert "Redis is version 6.0.9, and the workers need 6.2 or newer" in log


def test_a_user_who_may_not_ask_for_info_is_not_refused(own_valkey: Valkey, start: Start) -> None:
    with own_valkey.client() as redis:
        redis.acl_setuser("worker", enabled=True, passwords="+pw", keys="*", channels="*", commands=["+@all", "-info"])
    worker = start(own_valkey, TASK_BROKER_URL=f"redis://worker:pw@127.0.0.1:{own_valkey.port}/0")
    wait_for(lambda: "Redis cannot be checked" in worker.log.read_text())
    worker.wait_ready()


def test_redis_away_at_the_start_is_no_refusal_and_it_is_checked_when_it_comes(
    own_valkey: Valkey, start: Start
) -> None:
    with own_valkey.client() as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
        redis.config_set("maxmemory", "100mb")
        redis.config_rewrite()
    own_valkey.stop()
    worker = start(own_valkey)
    time.sleep(4)
    assert worker.alive()
    own_valkey.start()
    own_valkey.wait_ready()

    assert "maxmemory-policy allkeys-lru" in refusal(worker)


def test_a_task_that_no_queue_of_the_service_gets(valkey: Valkey, start: Start) -> None:
    log = refusal(start(valkey, STARTER_UNROUTED="1"))

    assert "task app.tasks.strater.work goes to queue strater, which no worker of this service consumes" in log
    assert "(second, starter)" in log


def test_a_worker_of_some_of_the_services_queues_may_start(valkey: Valkey, start: Start) -> None:
    start(valkey, "-Q", "second").wait_ready()


def test_a_mistyped_queue(valkey: Valkey, start: Start) -> None:
    assert "this worker consumes strater, and its tasks go to second, starter: correct -Q" in refusal(
        start(valkey, "-Q", "strater")
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CELERYCONFIG_TASK_TIME_LIMIT": "null"}, "task app.tasks.starter.work has no hard time limit"),
        ({"CELERYCONFIG_TASK_SOFT_TIME_LIMIT": "null"}, "task app.tasks.starter.work has no soft time limit"),
        ({"CELERYCONFIG_TASK_SOFT_TIME_LIMIT": "300"}, "a soft time limit of 300 s and a hard one of 300 s"),
        ({"STARTER_SHORT_TASK": "1"}, "starter.short has a soft time limit of 270 s and a hard one of 60 s"),
    ],
)
def test_time_limits(valkey: Valkey, start: Start, settings: dict[str, str], message: str) -> None:
    assert message in refusal(start(valkey, **settings))


def test_root_in_production(valkey: Valkey, start: Start) -> None:
    """Run by root it shows the refusal, run by others that they may start."""
    worker = start(valkey, ENVIRONMENT="production")
    if os.geteuid() == 0:
        assert "it runs as root" in refusal(worker)
    else:
        worker.wait_ready()


def test_a_database_that_cannot_be_reached(valkey: Valkey, start: Start) -> None:
    url = f"postgresql+psycopg://user:hush@127.0.0.1:{free_port()}/name"
    log = refusal(start(valkey, STARTER_DATABASE=url))

    assert "the database cannot be reached yet" in log
    assert "the database has not been reached for 15 s: connection failed" in log
    assert "DATABASE_URL" in log
    assert "hush" not in log


def test_a_database_that_comes_a_little_later(valkey: Valkey, own_postgres: Postgres, start: Start) -> None:
    with own_postgres.new_database() as database:
        own_postgres.stop()
        worker = start(valkey, STARTER_DATABASE=database.url)
        wait_for(lambda: "the database cannot be reached yet" in worker.log.read_text())
        own_postgres.start()
        own_postgres.wait_ready()
        worker.wait_ready()


def test_the_drain_time_is_a_setting(valkey: Valkey, start: Start) -> None:
    worker = start(valkey, TASK_DRAIN_SECONDS="1")
    worker.wait_ready()
    assert '"drain_seconds":1.0,"longest_time_limit":300' in worker.log.read_text()
    with TaskClient(valkey.url) as client, valkey.client() as redis:
        client.send("app.tasks.starter.work", seconds=100)
        wait_for(lambda: worker.trace("work") == ["start"])
        worker.terminate()
        wait_for(lambda: not worker.alive())
        assert redis.llen("starter") == 1
