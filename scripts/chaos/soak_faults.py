"""The faults of the soak: one of them happens to two workers, or to their Redis, every few seconds."""

import threading
from collections import Counter
from collections.abc import Callable
from random import Random

import redis

from chaos.servers import Network, stopped
from chaos.subjects import Side
from chaos.supervisor import Supervised
from chaos.worker.bodies import name_of
from devstack.malformed.corpus import corpus, small
from devstack.malformed.message import Expected

_BURST = 20  # malformed messages at a time


class Faults:
    """Does a fault every few seconds, in an order that follows from the seed.

    Args:
        side: whose server it is.
        workers: pairs of a worker and the network between it and Redis.
        seed: of the order.
        seconds: from one fault to the next.
    """

    def __init__(self, side: Side, workers: list[tuple[Supervised, Network]], *, seed: int, seconds: float) -> None:
        self.done: Counter[str] = Counter()
        self.malformed: list[bytes] = []  # what has been pushed of it
        self.last = ""
        self._side, self._workers, self._seconds = side, workers, seconds
        self._random = Random(seed)  # noqa: S311 - no secret
        self._corpus = [
            each.raw
            for each in small(corpus(task=name_of("sleep"), payload={"seconds": 0.01}, queue="chaos"))
            if each.expected in {Expected.KEPT, Expected.PARKED}
        ]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="faults", daemon=True)
        self._faults: dict[str, Callable[[], None]] = {
            "kill -9 of a pool process": lambda: self._worker().kill_child(),
            "kill -9 of a worker": lambda: self._worker().kill(),
            "SIGTERM to a worker": lambda: self._worker().terminate(grace=30),
            "kill -9 of Redis": self._kill_server,
            "CLIENT KILL of all connections": self._kill_connections,
            "Redis frozen for 3 s": self._freeze,
            "malformed messages": self._push_malformed,
            "a worker cut off for 5 s": self._cut,
            "connections reset": lambda: self._network().reset(),
            "connections forgotten": lambda: self._network().forget(),
        }

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Do no more faults, and wait for the end of the one that is under way."""
        self._end.set()
        self._thread.join()

    def _go_on(self) -> None:
        names = sorted(self._faults)
        while not self._end.wait(self._seconds):
            self.last = self._random.choice(names)
            self._faults[self.last]()
            self.done[self.last] += 1

    def _worker(self) -> Supervised:
        return self._random.choice(self._workers)[0]

    def _network(self) -> Network:
        return self._random.choice(self._workers)[1]

    def _kill_server(self) -> None:
        self._side.server.kill()
        self._end.wait(self._random.uniform(0.5, 3.0))
        self._side.server.start()
        self._side.server.wait_ready()

    def _kill_connections(self) -> None:
        with self._side.server.client() as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

    def _freeze(self) -> None:
        with stopped(self._side.server):
            self._end.wait(3)

    def _cut(self) -> None:
        with stopped(self._network()):
            self._end.wait(5)

    def _push_malformed(self) -> None:
        chosen = self._random.sample(self._corpus, _BURST)
        try:
            with self._side.server.client() as client:
                client.lpush("chaos", *chosen)
        except redis.RedisError:
            return
        self.malformed += chosen
