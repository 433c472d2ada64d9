"""What a client can do beside sending: look at what runs and waits, and operate it by name."""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from taskclient.cancel import Found, is_held, mark_cancelled, order_end
from taskclient.catalog import CatalogEntry, forget, read_catalog
from taskclient.connection import RedisClient, broker_errors
from taskclient.contracts import near
from taskclient.dead_letters import DeadLetters
from taskclient.deployment import Deployment, can_deploy
from taskclient.errors import UnknownQueue
from taskclient.handle import TaskHandle
from taskclient.letters import SERVICES_KEY
from taskclient.queues import QueueState, queue_states, queues_of, set_paused
from taskclient.results import FINISHED, ResultStore
from taskclient.schedules import Schedule, read_schedules, set_enabled
from taskclient.unacked import Adopted, adopt_unacked, plain_consumers
from taskclient.watch import TaskEvent
from taskclient.workers import Worker, workers

if TYPE_CHECKING:
    from taskclient.amqp import Publisher


class Operations:
    """The part of `TaskClient` for those who run the services; it needs what that has connected to."""

    _url: str
    _broker: RedisClient
    _results: ResultStore
    _publisher: "Publisher | None"

    def catalog(self) -> list[CatalogEntry]:
        """All tasks that workers have published, sorted by name.

        Raises:
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        with broker_errors(self._url, "reading the catalog"):
            return read_catalog(self._broker)

    def forget(self, service: str) -> list[str]:
        """Take a service that is gone out of the catalog now, instead of when its time is over.

        Returns:
            The names of its tasks.

        Raises:
            ValueError: it still has workers, which would bring it back within a minute; stop them first.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        alive = [worker for worker in self.workers(service) if worker.lease_seconds > 0]
        if alive:
            raise ValueError(f"{service} still has {len(alive)} workers, as on {alive[0].host}: stop them first.")
        with broker_errors(self._url, f"taking {service} out of the catalog"):
            return forget(self._broker, service)

    def can_deploy(self, service: str, contracts: Iterable[CatalogEntry], *, most: int = 1000) -> Deployment:
        """Whether a new version of a service understands all that waits; see `taskclient.deployment.can_deploy`.

        Raises:
            ValueError: `contracts` has none of this service; or the broker is RabbitMQ: only consumers read there.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        if self._publisher:
            raise ValueError("With RabbitMQ as broker, messages cannot be looked at without taking them.")
        with broker_errors(self._url, f"reading the messages of {service}"):
            return can_deploy(self._broker, service, contracts, most=most)

    def workers(self, service: str | None = None) -> list[Worker]:
        """The workers there are and what they hold, those that hold the fewest messages first; none on RabbitMQ.

        Args:
            service: whose, as in `email`; None means those of every service, one service after the other.

        Raises:
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        with broker_errors(self._url, "reading what the workers hold"):
            names = [service] if service else sorted(name.decode() for name in self._broker.smembers(SERVICES_KEY))
            return [worker for name in names for worker in workers(self._broker, name)]

    def queues(self, service: str | None = None) -> list[QueueState]:
        """How full the queues are that have tasks in the catalog, by service and name; with Redis as broker.

        It takes two round trips and no time that grows with the backlog, so it may be asked every second.

        Args:
            service: whose, as in `email`; None means those of every service.

        Raises:
            ValueError: the broker is RabbitMQ.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        self._refuse_rabbitmq("RabbitMQ's own management shows its queues")
        with broker_errors(self._url, "counting what waits in the queues"):
            known = queues_of(entry for entry in read_catalog(self._broker) if service in (None, entry.service))
            return queue_states(self._broker, known)

    def pause(self, queue: str) -> bool:
        """Have no worker take messages from a queue any more, until `resume`; also none that starts later.

        What workers have taken is finished. Messages can still be sent to it, and wait.

        Returns:
            False if it was paused already.

        Raises:
            UnknownQueue: no task of the catalog has this queue.
            ValueError: the broker is RabbitMQ.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        return self._set_paused(queue, paused=True)

    def resume(self, queue: str) -> bool:
        """Have workers take messages from a queue again, at once.

        Returns:
            False if it was not paused.

        Raises:
            UnknownQueue, ValueError, BrokerUnavailable: as for `pause`.
        """
        return self._set_paused(queue, paused=False)

    def cancel(self, task_id: str) -> Found:
        """Take a task back, so that it is not run, or ended if it runs; its result becomes REVOKED.

        This holds for 30 days and for workers that start later, so the id cannot be used again meanwhile. A task that
        runs is ended as its pool can: its process is killed, or its coroutine cancelled; what it has done stays done,
        and nothing is repeated. If the workers could not hear of it, which `running` leaves open, ask again.

        Returns:
            What was known of it: `finished`, then nothing was changed; `running`, if a worker had taken its message;
            else `waiting`, which may also mean that nobody has ever sent it.

        Raises:
            ValueError: the broker is RabbitMQ.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        self._refuse_rabbitmq("use app.control.revoke of a Celery application to cancel a task")
        if self._results.get(task_id).status in ("SUCCESS", "FAILURE"):
            return "finished"
        with broker_errors(self._url, f"cancelling task {task_id}"):
            services = {name.decode() for name in self._broker.smembers(SERVICES_KEY)}
            services |= queues_of(read_catalog(self._broker)).keys()
            mark_cancelled(self._broker, services, task_id)
            held = is_held(self._broker, services, task_id)
            # The record of what runs is left to its worker: only that one knows how it ended.
            status = "" if held else self._results.revoke(task_id)
            order_end(self._broker, task_id)
        if held:
            return "running"
        return "finished" if status in FINISHED else "waiting"

    def _set_paused(self, queue: str, *, paused: bool) -> bool:
        self._refuse_rabbitmq("stop its workers, or have them cancel their consumers, instead of pausing a queue")
        with broker_errors(self._url, f"{'pausing' if paused else 'resuming'} the queue {queue}"):
            known = queues_of(read_catalog(self._broker))
            services = [service for service, queues in known.items() if queue in queues]
            if not services:
                names = [name for queues in known.values() for name in queues]
                raise UnknownQueue(f"No task has a queue {queue!r}; {near(queue, names, '`tasks queues` shows all.')}")
            return set_paused(self._broker, services, queue, paused=paused)

    def schedules(self, service: str | None = None) -> list[Schedule]:
        """What beat sends and when, as workers have published it, sorted by name.

        Args:
            service: whose, as in `maintenance`; None means those of every service.

        Raises:
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        with broker_errors(self._url, "reading the schedules"):
            found = read_schedules(self._broker, read_catalog(self._broker))
        return [one for one in found if service in (None, one.service)]

    def pause_schedule(self, name: str) -> bool:
        """Have beat leave an entry out until `resume_schedule`, whatever restarts meanwhile; it hears of it within 2 s.

        Args:
            name: as `schedules` has it, as in `maintenance:nightly`.

        Returns:
            False if it was paused already.

        Raises:
            UnknownSchedule: there is no such entry.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        with broker_errors(self._url, f"pausing the schedule {name}"):
            return set_enabled(self._broker, name, enabled=False)

    def resume_schedule(self, name: str) -> bool:
        """Have beat send an entry again; if it was due in the pause, once at once, as after an outage of beat.

        Returns:
            False if it was not paused.

        Raises:
            UnknownSchedule, BrokerUnavailable: as for `pause_schedule`.
        """
        with broker_errors(self._url, f"resuming the schedule {name}"):
            return set_enabled(self._broker, name, enabled=True)

    def watch(self, task_id: str, timeout: float | None) -> Iterator[TaskEvent]:
        """Follow a task by its id; see `TaskHandle.watch`.

        Raises:
            BrokerUnavailable: Redis could not be asked.
        """
        return TaskHandle(task_id, self._results).watch(timeout)

    def _refuse_rabbitmq(self, instead: str) -> None:
        if self._publisher:
            raise ValueError(f"The broker is RabbitMQ: {instead}.")

    def adopt_unacked(self, queues: Collection[str] = (), *, dry_run: bool = False) -> Adopted:
        """Put back what workers of plain Celery had taken and not finished; see `taskclient.unacked.adopt_unacked`.

        Raises:
            ValueError: the broker is RabbitMQ, which does this by itself.
            BrokerUnavailable: Redis could not be reached, or refused.
        """
        if self._publisher:
            raise ValueError("RabbitMQ itself puts back what a worker had taken; there is nothing to adopt.")
        with broker_errors(self._url, "putting back what plain workers had taken"):
            return adopt_unacked(self._broker, queues=queues, dry_run=dry_run)

    def plain_consumers(self) -> list[str]:
        """The addresses of clients that wait for messages as workers of plain Celery do, as far as Redis tells.

        Raises:
            BrokerUnavailable: Redis could not be reached.
        """
        with broker_errors(self._url, "listing its clients"):
            return plain_consumers(self._broker)

    def dead_letters(self, service: str | None = None) -> DeadLetters:
        """The messages that workers could not run.

        Args:
            service: whose, as in `email`; None means those of every service.
        """
        publish = self._publisher.push if self._publisher else None
        return DeadLetters(self._broker, self._url, self._results, service, publish=publish)
