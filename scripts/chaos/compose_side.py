"""One scenario's project of docker compose: its containers, what is sent to them, what came of it."""

import contextlib
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import redis

from chaos.compose_logs import Logs
from chaos.compose_scenario import ComposeScenario
from chaos.counts import Counts, tally
from chaos.ledger import Events
from chaos.subjects import Kind, Stopping
from chaos.traces import Whereabouts, whereabouts
from devstack.compose import Compose, docker
from taskclient.client import TaskClient
from taskclient.connection import RedisClient
from taskclient.errors import TaskClientError

EMAIL, ETL, BEAT = "worker-celery-email", "worker-celery-etl", "beat"
_MAIL = "app.tasks.email.send_email"
_PAYLOAD = {"to": "chaos@example.com", "subject": "Chaos", "body": "x"}
IMAGES = "scripts/chaos/images"
_WATCHED = (EMAIL, ETL, BEAT)  # whose ends are counted
_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 5.0  # a second copy of an effect would come soon after the first
_LAST_SEND_SECONDS = 60.0  # Redis is back, or something broke on the way
_AGAIN_SECONDS = 0.5  # between two attempts to send the same message


class ComposeSide:
    """One scenario, from its first container to its last.

    Args:
        scenario: what is done.
        folder: gets the logs.
        stopping: set when the whole run is to end.
    """

    def __init__(self, scenario: ComposeScenario, folder: Path, stopping: threading.Event) -> None:
        self.kind: Kind = "template"
        self.scenario, self.folder = scenario, folder
        self.compose = self._project(())
        self.ledger = Events()
        self.sent: list[str] = []
        self.poison: set[str] = set()
        self.notes: list[str] = []
        self.problems: list[str] = []
        self.recovery: float | None = None
        self.recovery_counts = True
        self.refused = 0  # attempts to send that raised; each was repeated until it was accepted
        self.effects: Callable[[], Mapping[str, int]] = self.mails
        self.logs = Logs(self.ledger)
        self.when_closed: list[Callable[[], object]] = []
        self.faulted = self.healed = 0.0  # seconds since 1970, the clock of the logs
        self._ends = time.monotonic() + scenario.seconds
        self._stopping = stopping
        self._expected: Counter[str] = Counter()  # ends of containers that are our doing
        self._events: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def _project(self, files: tuple[str, ...]) -> Compose:
        names = ("docker-compose.yml", f"{IMAGES}/chaos.yml", *files)
        return Compose(f"worker-celery-chaos-{self.scenario.name}", files=names)

    # Containers

    def up(self, *services: str, replicas: int = 1, files: tuple[str, ...] = ()) -> None:
        """Start services and what they stand on, and wait until they are healthy; the scenario's bound begins then.

        Args:
            services: their names.
            replicas: how many containers of the first one.
            files: more compose files.
        """
        self.compose = self._project(files)
        self.compose("down", "--volumes", "--timeout", "2")
        self._watch()
        self.compose("up", "--detach", "--wait", "--scale", f"{services[0]}={replicas}", *services, timeout=180)
        self._ends = time.monotonic() + self.scenario.seconds

    def close(self) -> None:
        """Keep the logs, and remove all containers, volumes and networks."""
        (self.folder / "compose.log").write_text(self.compose("logs", "--no-color", "--timestamps", check=False))
        with contextlib.suppress(RuntimeError):
            self.compose("unpause", check=False)
            self.compose("down", "--volumes", "--timeout", "2")
        for call in self.when_closed:
            call()
        if self._events:
            self._events.kill()
            self._events.wait()

    def containers(self, service: str = EMAIL) -> list[str]:
        """The ids of a service's containers, also of stopped ones."""
        return sorted(self.compose.containers(service))

    def kill(self, container: str) -> None:
        """SIGKILL to a container; Docker does not start again by itself what was killed so."""
        self.expect(container)
        docker("kill", "--signal", "KILL", container)

    def stop(self, container: str) -> float:
        """`docker stop`: SIGTERM, and SIGKILL after the grace of the compose file; the seconds it took."""
        self.expect(container)
        began = time.monotonic()
        docker("stop", container)
        return time.monotonic() - began

    def start(self, container: str) -> None:
        """Start a stopped container, without waiting until it is healthy."""
        docker("start", container)

    def expect(self, container: str) -> None:
        """Say that the container's next end is our doing."""
        self._expected[container] += 1

    def wait_healthy(self, container: str, seconds: float = 60) -> bool:
        """Wait until a container's health check says yes."""
        inspect = ("inspect", "--format", "{{.State.Health.Status}}", container)
        return self.wait(lambda: docker(*inspect).strip() == "healthy", seconds, read=False)

    def _watch(self) -> None:
        """Write down each end of a container, which Docker itself forgets soon."""
        fields = '{{.ID}} {{index .Actor.Attributes "com.docker.compose.service"}} {{.Action}}'
        project = f"label=com.docker.compose.project={self.compose.env['COMPOSE_PROJECT_NAME']}"
        filters = ["--filter", project, "--filter", "event=die", "--filter", "event=oom"]
        words = ["docker", "events", *filters, "--format", fields]
        with (self.folder / "events.log").open("ab") as log:
            self._events = subprocess.Popen(words, stdout=log, stderr=subprocess.DEVNULL, start_new_session=True)

    def events(self, action: str) -> Counter[str]:
        """How often a container of a worker or a beat ended ("die") or reached its memory limit ("oom"), by its id."""
        lines = [line.split() for line in (self.folder / "events.log").read_text().splitlines()]
        return Counter(words[0] for words in lines if len(words) == 3 and words[1] in _WATCHED and words[2] == action)  # noqa: PLR2004

    def exits(self) -> int:
        """How often a worker or beat ended by itself."""
        ends = self.events("die").items()
        return sum(max(0, count - self._expected[container]) for container, count in ends)

    # Messages

    def client(self) -> RedisClient:
        """A client of the broker's database; the caller closes it."""
        return redis.Redis.from_url(self.compose.broker_url, socket_timeout=5)

    def send(self, name: str, count: int = 1, **payload: Any) -> list[str]:
        """Send tasks by name; an attempt that fails is repeated under the same id until Redis has taken it.

        Returns:
            The ids.
        """
        with TaskClient(self.compose.broker_url, check=False) as client:
            return [self._send(client, name, payload) for _ in range(count)]

    def send_mails(self, count: int = 1) -> list[str]:
        """Send the email service's own task."""
        return self.send(_MAIL, count, **_PAYLOAD)

    def send_slow_mails(self, count: int, seconds: float) -> list[str]:
        """Send mails that take so many seconds each."""
        return self.send("app.tasks.email.send_slowly", count, to="chaos@example.com", seconds=seconds)

    def _send(self, client: TaskClient, name: str, payload: Mapping[str, Any]) -> str:
        task_id = str(uuid4())
        while True:
            try:
                client.send_payload(name, payload, task_id=task_id)
            except TaskClientError:
                self.refused += 1
                if self._stopping.wait(_AGAIN_SECONDS):
                    raise Stopping from None
            else:
                with self._lock:
                    self.sent.append(task_id)
                return task_id

    @contextmanager
    def load(self, per_second: float, send: Callable[[], object] | None = None) -> Iterator[None]:
        """Send one task after the other until the block ends, by default mails."""
        done = threading.Event()

        def produce() -> None:
            with contextlib.suppress(Stopping), TaskClient(self.compose.broker_url) as client:
                while not done.wait(1 / per_second):
                    send() if send else self._send(client, _MAIL, _PAYLOAD)

        thread = threading.Thread(target=produce, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(_LAST_SEND_SECONDS)

    # Time

    def left(self) -> float:
        """Seconds until this scenario's bound."""
        return self._ends - time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than until the bound."""
        if self._stopping.wait(max(0.0, min(seconds, self.left()))):
            raise Stopping

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0, *, read: bool = True) -> bool:
        """Wait until a condition is true, at most until the bound; says whether it is.

        Args:
            condition: asked again and again.
            seconds: at most.
            read: read the logs before each question.
        """
        ends = time.monotonic() + min(seconds, max(0.0, self.left()))
        while True:
            if read:
                self.read()
            if condition():
                return True
            if time.monotonic() >= ends:
                return False
            if self._stopping.wait(_LOOK_SECONDS):
                raise Stopping

    def wait_started(self, ids: list[str], seconds: float = 60.0) -> bool:
        """Wait until all of these tasks have started."""
        return self.wait(lambda: all(task_id in self.ledger.starts for task_id in ids), seconds)

    def fault(self) -> None:
        """Say that the fault begins now."""
        self.faulted = self.healed = time.time()

    def heal(self) -> None:
        """Say that the fault is over."""
        self.healed = time.time()

    # What came of it

    def read(self) -> None:
        """Take in what the workers' logs say."""
        self.logs.read([*self.containers(EMAIL), *self.containers(ETL)])

    def mails(self) -> Mapping[str, int]:
        """How many mails there are for each task: its id stands in the mail's Message-ID."""
        ids = {mail["id"]: mail["messageId"].partition("@")[0] for mail in self.compose.mailbox.mails()}
        return Counter(ids.values())

    def whereabouts(self) -> Whereabouts:
        """Which messages Redis still holds."""
        return whereabouts(self)

    def settle(self) -> None:
        """Wait until each task has had its effect or is a dead letter and no message waits, at most until the bound."""
        quiet_since: float | None = None
        while self.left() > 0:
            self.pause(1.0)
            if not self._is_settled():
                quiet_since = None
            elif quiet_since is None:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > _QUIET_SECONDS:
                break

    def _is_settled(self) -> bool:
        with contextlib.suppress(OSError):  # the mail server is just being started
            missing = set(self.sent) - set(self.effects())
            kept = self.whereabouts()
            return missing <= kept.dead and not kept.waiting
        return False

    def back_after_first(self) -> None:
        """Measure recovery: the seconds from the end of the fault until a task that began after it came to its end."""
        self.read()
        after = [
            max(ends) - self.healed
            for task_id, ends in self.ledger.ends.items()
            if any(self.healed < start <= max(ends) for start in self.ledger.starts[task_id])
        ]
        self.recovery = min(after, default=None)
        self.notes.append(f"the last task ended {max(after, default=0):.0f} s after the end of the fault")

    def back_after_held(self, held: Mapping[str, float]) -> None:
        """Measure recovery: the seconds from the fault until all that ran in a container ran again, or had ended.

        Args:
            held: what ran in it, as `held` says.
        """
        self.read()
        again = []
        for task_id in held:
            times = [*self.ledger.starts[task_id], *self.ledger.ends.get(task_id, ())]
            again.append(min((at for at in times if at > self.faulted), default=None))
        self.notes.append(f"{len(held)} tasks ran in the container when the fault came")
        self.recovery = None if None in again else max((at for at in again if at), default=self.faulted) - self.faulted

    def held(self, container: str) -> dict[str, float]:
        """What has begun in a container and has not ended by the time of the fault."""
        self.read()
        return {
            task_id: at
            for task_id, at in self.logs.started.get(container, {}).items()
            if at < self.faulted and not any(end < self.faulted for end in self.ledger.ends.get(task_id, ()))
        }

    def count(self) -> Counts:
        """Read the logs, the effects and Redis a last time, and count."""
        self.read()
        effects = self.effects()
        self.notes += [self._explain(task_id, times) for task_id, times in effects.items() if times > 1]
        for task_id, times in effects.items():
            self.ledger.effects[task_id] = [self.healed] * times
            if not self.ledger.ends.get(task_id):  # it died before it could say so
                self.ledger.add("end", task_id, self.healed)
        empty = [each for each in self.sent if self.ledger.ends.get(each) and not self.ledger.effects.get(each)]
        if empty:
            self.problems.append(f"{len(empty)} tasks came to their end without their effect")
        if self.refused:
            self.notes.append(
                f"attempts to send that were refused, and repeated until one was accepted: {self.refused}"
            )
        return tally(self, self.whereabouts(), exits=self.exits())

    def _explain(self, task_id: str, times: int) -> str:
        starts, ends = len(self.ledger.starts[task_id]), self.logs.finished[task_id]
        story = f"{task_id} had its effect {times} times: it began {starts} times and came to its end {ends} times"
        if times - 1 > starts - ends:
            return f"{story}, which nothing explains"
        return f"{story}, so whoever ran it died after the effect and before its record"
