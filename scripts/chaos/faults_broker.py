"""Faults of Redis and of the network: killed, frozen, full, connections killed, reset, forgotten, cut."""

import time

from chaos.database import Effects
from chaos.scenario import LATE_ACK, scenario, visibility
from chaos.servers import Network, stopped
from chaos.subjects import Side


def _restart_server(side: Side, seconds: float) -> None:
    side.fault()
    side.server.kill()
    side.pause(seconds)
    side.server.start()
    side.server.wait_ready()
    side.heal()


@scenario(
    "redis-kill",
    "Redis: kill -9, 3 s away; 2 tasks of 12 s are running, 2 slots are free",
    seconds=75,
    plain=LATE_ACK,
    plain_words="late acknowledgement",
)
def redis_kill(side: Side) -> None:
    """Rows 4a and 4d."""
    side.worker(concurrency=4)
    side.wait_started(side.send("sleep", 2, seconds=12))
    side.pause(1)
    _restart_server(side, 3)
    side.probe()
    side.settle()


@scenario("redis-kill-backlog", "Redis: kill -9, 3 s away; 500 tasks of 20 ms are queued", seconds=75)
def redis_kill_backlog(side: Side) -> None:
    """Row 4g."""
    side.worker()
    ids = side.send("sleep", 500, seconds=0.02)
    side.wait(lambda: len(side.ledger.ends) >= len(ids) // 10)
    _restart_server(side, 3)
    side.probe()
    side.settle()


@scenario(
    "client-kill",
    "CLIENT KILL of all connections, 3 times; 6 tasks of 8 s are running, 2 slots are free",
    seconds=60,
    plain=LATE_ACK,
    plain_words="late acknowledgement",
)
def client_kill(side: Side) -> None:
    """Row 4f."""
    side.worker(concurrency=8)
    ids = side.send("sleep", 6, seconds=8)
    side.wait_started(ids)
    for _ in range(3):
        side.pause(2)
        side.fault()
        with side.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal")
    side.pause(2)
    side.settle(40)
    side.recovery_counts = False
    side.notes.append(f"{side.ledger.total(side.ledger.starts)} starts of {len(ids)} tasks")


@scenario(
    "redis-frozen", "Redis frozen for 20 s, longer than the lease; 2 tasks of 8 s run, 10 of 0.5 s wait", seconds=90
)
def redis_frozen(side: Side) -> None:
    """Row 11c, for all workers at once."""
    side.worker("w1", wait=False)
    side.worker("w2")
    side.wait_started(side.send("sleep", 2, seconds=8))
    side.send("sleep", 10, seconds=0.5)
    side.fault()
    with stopped(side.server):
        side.pause(20)
    side.heal()
    side.probe()
    side.settle()


@scenario("network-cut", "the network is cut for 20 s, in silence; 2 tasks of 8 s run", seconds=90)
def network_cut(side: Side) -> None:
    """Row 11b: what was sent arrives when the network is back."""
    network = _network(side)
    side.worker(url=network.url)
    side.wait_started(side.send("sleep", 2, seconds=8))
    side.fault()
    with stopped(network):
        side.pause(20)
    side.heal()
    side.probe()
    side.settle()


@scenario(
    "network-forgotten", "a firewall forgets all connections, they stay open in silence; 2 tasks of 3 s", seconds=75
)
def network_forgotten(side: Side) -> None:
    """Row 11b at its worst: only who sets a limit for an answer finds out."""
    network = _network(side)
    side.worker(url=network.url)
    side.wait_started(side.send("sleep", 2, seconds=3))
    side.fault()
    network.forget()
    side.probe(60)
    side.settle()


@scenario("network-reset", "all connections are reset, 5 times in 10 s; 20 tasks of 1 s", seconds=60)
def network_reset(side: Side) -> None:
    """Row 4f by the network."""
    network = _network(side)
    side.worker(url=network.url)
    ids = side.send("sleep", 20, seconds=1)
    side.wait_started(ids[:1])
    for _ in range(5):
        side.fault()
        network.reset()
        side.pause(2)
    side.heal()
    side.probe()
    side.settle()


@scenario(
    "one-worker-cut",
    "one of two workers is cut off for 30 s, longer than its lease; 2 tasks of 25 s that write a row run on it",
    seconds=120,
    plain=LATE_ACK | visibility(10),
    plain_words="late acknowledgement, visibility timeout 10 s",
)
def one_worker_cut(side: Side) -> None:
    """Row 11c: the other worker cannot know whether the first one lives."""
    effects = Effects(side)
    network = _network(side)
    side.worker("cut", url=network.url, env=effects.env)
    side.wait_started(side.send("insert", 2, seconds=25))
    side.worker("other", env=effects.env)
    side.fault()
    with stopped(network):
        side.pause(30)
    side.heal()
    side.settle()
    side.recovery_counts = False
    effects.count()


@scenario(
    "redis-full", "Redis full for 10 s (noeviction); a worker runs, another one starts; 20 tasks of 0.5 s", seconds=90
)
def redis_full(side: Side) -> None:
    """Row 10a."""
    side.worker("w1")
    ids = side.send("sleep", 20, seconds=0.5)
    side.wait_started(ids[:2])
    with side.server.client() as client:
        side.fault()
        client.config_set("maxmemory", 1_000_000)
        client.config_set("maxmemory-policy", "noeviction")
        late = side.worker("w2", wait=False)
        began = time.monotonic()
        side.send("noop", 3)
        side.notes.append(f"{side.refused} of 3 sends refused, after {time.monotonic() - began:.1f} s together")
        side.pause(10)
        client.config_set("maxmemory", 0)
    side.heal()
    late.wait_ready(20)
    side.probe()
    side.settle()


def _network(side: Side) -> Network:
    network = Network(side.server, side.folder)
    side.own(network)
    return network
