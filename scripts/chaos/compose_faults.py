"""Faults of containers: killed, out of memory, stopped, frozen, cut from the network, full."""

import itertools
import time

from chaos.compose_scenario import scenario
from chaos.compose_side import BEAT, EMAIL, ETL, IMAGES, ComposeSide
from devstack.compose import docker

_RATE = 10.0  # mails a second while a fault lasts; a worker sends about 18
_BURST = 300.0  # mails a second
_KILLS = 10
_NEXT = "chaos-next"  # the tag of the image that a rolling restart brings
_NOTE_INSERTS = """
    CREATE TABLE inserted (name text);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN INSERT INTO inserted VALUES (NEW.name); RETURN NULL; END$$;
    CREATE TRIGGER note BEFORE INSERT ON airlines FOR EACH ROW EXECUTE FUNCTION note();
"""


@scenario("worker-kill", "docker kill -s KILL of one of two workers; 200 mails, 4 of 5 s run", seconds=120)
def worker_kill(side: ComposeSide) -> None:
    """Started again at once; what it ran is taken over by the other one."""
    side.up(EMAIL, "mail", replicas=2)
    slow = side.send_slow_mails(4, 5)
    side.wait_started(slow)
    side.send_mails(200)
    killed = side.containers()[0]
    side.fault()
    side.kill(killed)
    held = side.held(killed)
    side.start(killed)
    side.settle()
    side.back_after_held(held)


@scenario("worker-kills", "10 x docker kill -s KILL, in turns, of two workers under load", seconds=300)
def worker_kills(side: ComposeSide) -> None:
    """Each kill comes when the worker sends mails at full speed."""
    side.recovery_counts = False
    side.up(EMAIL, "mail", replicas=2)
    workers = side.containers()
    side.send_mails(300)
    with side.load(_RATE):
        for number in range(_KILLS):
            victim = workers[number % 2]
            side.wait_healthy(victim, 30)
            side.pause(2)
            side.kill(victim)
            side.start(victim)
    side.settle()
    side.notes.append(f"{_KILLS} kills")


def _out_of_memory(side: ComposeSide, *, whole_container: bool) -> None:
    side.recovery_counts = False
    side.up(EMAIL, "mail")
    side.poison.update(side.send("app.tasks.email.use_up_memory", whole_container=whole_container))
    neighbours = side.send_mails(20)
    side.settle()
    side.read()
    runs = len(side.ledger.starts[next(iter(side.poison))])
    side.notes.append(f"the task began {runs} times; {len(set(neighbours) & set(side.mails()))} of 20 neighbours ran")
    side.notes.append(f"containers reached their memory limit {side.events('oom').total()} times, says Docker")
    if runs > 3:  # noqa: PLR2004 - TASK_DELIVERY_LIMIT
        side.problems.append(f"the task began {runs} times")


@scenario("out-of-memory", "a task exceeds mem_limit: the kernel kills its process; 20 mails beside it", seconds=90)
def out_of_memory(side: ComposeSide) -> None:
    """The container lives on."""
    _out_of_memory(side, whole_container=False)


@scenario(
    "out-of-memory-whole",
    "a task exceeds mem_limit: the kernel kills the main process, so the whole container; 20 mails beside it",
    seconds=240,
    may_exit=True,
)
def out_of_memory_whole(side: ComposeSide) -> None:
    """Docker starts the only worker again and again."""
    _out_of_memory(side, whole_container=True)


@scenario("worker-stop", "docker stop of the only worker, then start; 200 mails, 2 of 20 s run", seconds=120)
def worker_stop(side: ComposeSide) -> None:
    """The two long ones do not end within the 10 s that they get."""
    side.up(EMAIL, "mail")
    side.wait_started(side.send_slow_mails(2, 20))
    side.send_mails(200)
    worker = side.containers()[0]
    side.fault()
    held = side.held(worker)
    seconds = side.stop(worker)
    side.notes.append(f"docker stop took {seconds:.1f} s, exit code {_exit_code(worker)}")
    side.start(worker)
    side.settle()
    side.back_after_held(held)


@scenario(
    "rolling-restart", "two workers replaced by a new image, one after the other; mails all the time", seconds=180
)
def rolling_restart(side: ComposeSide) -> None:
    """As a deployment does it: SIGTERM, a new container, wait until it is healthy, the next one."""
    side.recovery_counts = False
    side.up(EMAIL, "mail", replicas=2)
    compose = side.compose
    compose.env = {**compose.env, "VERSION": _NEXT}
    compose("build", "--quiet", EMAIL)
    side.when_closed.append(lambda: docker("rmi", f"{EMAIL}:{_NEXT}"))
    side.wait_started(side.send_slow_mails(2, 5))
    with side.load(_RATE):
        for old in side.containers():
            seconds = side.stop(old)
            side.notes.append(f"docker stop took {seconds:.1f} s, exit code {_exit_code(old)}")
            side.read()
            docker("rm", old)
            compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"{EMAIL}=2", EMAIL)
    side.settle()
    images = {docker("inspect", "--format", "{{.Config.Image}}", each).strip() for each in side.containers()}
    if images != {f"{EMAIL}:{_NEXT}"}:
        side.problems.append(f"the containers are of {', '.join(images)}")


@scenario("redis-kill", "docker kill -s KILL of Redis, 3 s away; mails all the time, 2 of 12 s run", seconds=120)
def redis_kill(side: ComposeSide) -> None:
    """Its append-only file is written each second to disk, at each command to the kernel."""
    side.up(EMAIL, "mail", replicas=2)
    side.wait_started(side.send_slow_mails(2, 12))
    server = side.containers("redis")[0]
    with side.load(_RATE):
        side.pause(3)
        side.fault()
        side.kill(server)
        side.pause(3)
        side.start(server)
        side.heal()
        side.wait_healthy(server)
        side.pause(5)
    side.settle()
    side.back_after_first()


@scenario(
    "redis-kill-burst",
    "docker kill -s KILL of Redis, 3 s away, while a caller sends as fast as it can",
    seconds=240,
)
def redis_kill_burst(side: ComposeSide) -> None:
    """What has been accepted right before the kill is in the append-only file."""
    side.up(EMAIL, "mail", replicas=2)
    server = side.containers("redis")[0]
    with side.load(_BURST):
        side.pause(3)
        side.fault()
        side.kill(server)
        side.notes.append(f"{len(side.sent)} messages were accepted in the 3 s before the kill")
        side.pause(3)
        side.start(server)
        side.heal()
    side.settle()
    side.back_after_first()


@scenario("redis-frozen", "docker pause of Redis for 20 s, longer than the lease; mails all the time", seconds=120)
def redis_frozen(side: ComposeSide) -> None:
    """Nobody may be called dead when it goes on."""
    side.up(EMAIL, "mail", replicas=2)
    side.wait_started(side.send_slow_mails(2, 12))
    server = side.containers("redis")[0]
    with side.load(_RATE):
        side.pause(3)
        side.fault()
        docker("pause", server)
        try:
            side.pause(20)
        finally:
            docker("unpause", server)
        side.heal()
        side.pause(5)
    side.settle()
    side.back_after_first()


@scenario(
    "worker-cut",
    "one of two workers cut from the network for 25 s, longer than its lease; mails all the time",
    seconds=150,
)
def worker_cut(side: ComposeSide) -> None:
    """The other one takes over what it held; a mail that it works at cannot be sent while it is cut off."""
    side.up(EMAIL, "mail", replicas=2)
    side.wait_started(side.send_slow_mails(4, 8))
    cut = side.containers()[0]
    with side.load(_RATE):
        side.pause(3)
        side.fault()
        docker("network", "disconnect", side.compose.network, cut)
        side.pause(25)
        docker("network", "connect", "--alias", EMAIL, side.compose.network, cut)
        side.heal()
        side.pause(10)
    side.settle()
    side.read()
    own = [at for at in side.logs.started[cut].values() if at > side.healed]
    side.recovery = min(own) - side.healed if own else None


@scenario("postgres-restart", "docker kill -s KILL of PostgreSQL, 3 s away; batches of rows all the time", seconds=150)
def postgres_restart(side: ComposeSide) -> None:
    """A trigger writes down each time that a task inserts its row."""
    side.up(ETL)
    _psql(side, _NOTE_INSERTS)
    server = side.containers("postgres")[0]
    rows: dict[str, str] = {}  # task -> the row it sends

    def send() -> None:
        row = f"row-{len(rows)}"
        rows[side.send("app.tasks.etl.process_batch", dataset="airlines", rows=[{"carrier": row, "name": row}])[0]] = (
            row
        )

    def effects() -> dict[str, int]:
        inserted = _inserted(side)
        return {task_id: inserted[row] for task_id, row in rows.items() if row in inserted}

    side.effects = effects
    with side.load(_RATE, send):
        side.pause(5)
        side.fault()
        side.kill(server)
        side.pause(3)
        side.start(server)
        side.heal()
        side.wait_healthy(server)
        side.pause(10)
    side.settle()
    side.back_after_first()


@scenario("mail-stop", "the mail server stopped for 15 s; mails all the time", seconds=180)
def mail_stop(side: ComposeSide) -> None:
    """Its mails outlive it."""
    side.up(EMAIL, "mail")
    server = side.containers("mail")[0]
    with side.load(_RATE):
        side.pause(5)
        side.fault()
        side.stop(server)
        side.pause(15)
        side.start(server)
        side.heal()
        side.wait_healthy(server)
        side.pause(5)
    side.settle()
    side.back_after_first()


@scenario(
    "two-beats", "two beats with a mail each second for 60 s, the one that ticks gets docker kill -s KILL", seconds=120
)
def two_beats(side: ComposeSide) -> None:
    """Ticks have no ids that anybody knows, so they are counted by their times."""
    side.up(BEAT, EMAIL, "mail", replicas=2, files=(f"{IMAGES}/ticks.yml",))
    side.wait(lambda: len(side.ledger.starts) > 3, 30)  # noqa: PLR2004
    began = time.time()
    side.pause(20)
    ticking = _ticking(side)
    side.fault()
    side.kill(ticking)
    side.pause(40)
    for beat in side.containers(BEAT):
        if beat != ticking:
            side.kill(beat)
    side.pause(3)
    side.read()
    _count_ticks(side, began)


def _ticking(side: ComposeSide) -> str:
    found: list[str] = []

    def look() -> bool:
        found[:] = filter(_is_ready, side.containers(BEAT))
        return bool(found)

    if not side.wait(look, 20):
        raise RuntimeError("no beat ticks")
    return found[0]


def _count_ticks(side: ComposeSide, began: float) -> None:
    times = sorted(at for starts in side.ledger.starts.values() for at in starts if at > began)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    doubled = sum(gap < 0.4 for gap in gaps)  # noqa: PLR2004 - half a tick apart is no tick of its own
    side.sent = list(side.ledger.starts)
    side.recovery = next((at - side.faulted for at in times if at > side.faulted), None)
    longest = max(gaps, default=0)
    side.notes.append(
        f"{len(times)} ticks in 60 s, {doubled} doubled; the longest gap is {longest:.1f} s, not made up for"
    )
    if doubled:
        side.problems.append(f"{doubled} ticks doubled")


@scenario("redis-full", "Redis full for 10 s (maxmemory, noeviction); mails all the time", seconds=120)
def redis_full(side: ComposeSide) -> None:
    """Callers are refused, workers wait."""
    side.up(EMAIL, "mail", replicas=2)
    side.wait_started(side.send_slow_mails(2, 12))
    side.send_mails(50)
    with side.client() as client, side.load(_RATE):
        side.pause(3)
        before = client.config_get("maxmemory")["maxmemory"]
        side.fault()
        client.config_set("maxmemory", 1_000_000)
        side.pause(10)
        client.config_set("maxmemory", before)
        side.heal()
        side.pause(5)
    side.settle()
    side.back_after_first()


def _psql(side: ComposeSide, statement: str) -> str:
    words = ("exec", "-T", "postgres", "psql", "--username=worker", "--quiet", "--tuples-only", "--no-align")
    return side.compose(*words, "--command", statement)


def _inserted(side: ComposeSide) -> dict[str, int]:
    lines = _psql(side, "SELECT name, count(*) FROM inserted GROUP BY name").split()
    return {name: int(times) for name, _, times in (line.partition("|") for line in lines)}


def _exit_code(container: str) -> str:
    return docker("inspect", "--format", "{{.State.ExitCode}}", container).strip()


def _is_ready(beat: str) -> bool:
    words = ("exec", beat, "python", "-m", "workerkit.health", "ready")
    try:
        docker(*words)
    except RuntimeError:
        return False
    return True
