"""Runs one claimed message in a child, by Celery's own tracer, and tells the holder what became of it."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from billiard.einfo import ExceptionInfo
from celery import signals
from celery.exceptions import InvalidTaskError
from celery.worker import state
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from taskclient.letters import UNREADABLE
from workerkit.short_tasks.delivered import Delivered, HeldChannel
from workerkit.short_tasks.events import Events
from workerkit.short_tasks.plan import Plan
from workerkit.short_tasks.table import NEAR_SECONDS, Slot
from workerkit.strategy import is_wanted
from workerkit.transport.guard import Unreadable
from workerkit.transport.holder import Held, Holder

log = structlog.get_logger("worker")


class Runner:
    """One child's way from message to verdict.

    A plain success builds no `Request`; whatever else happens is decided by Celery's `Request`, as in other pools.

    Args:
        app: the application.
        hostname: the worker's.
        plans: by task name.
        holder: the books.
        slot: tells the parent what runs.
        events: takes the place of Celery's dispatcher.
        flush: carries out verdicts now.
        tell: has the parent look closely.
    """

    def __init__(
        self,
        app: Any,
        hostname: str,
        plans: Mapping[str, Plan],
        holder: Holder,
        slot: Slot,
        events: Events,
        flush: Callable[[], None],
        tell: Callable[[], None],
    ) -> None:
        self.spoilt = False  # a task has tried to end the process, or its memory is used up
        self.running: str | None = None
        self._app, self._hostname, self._plans = app, hostname, plans
        self._holder, self._slot, self._events = holder, slot, events
        self._flush, self._tell = flush, tell
        self._channel = HeldChannel(holder)

    def run(self, tag: str, held: Held) -> None:
        """Run it, or do whatever else is to be done with it."""
        try:
            self._run(tag, held)
        except (RedisError, OSError, OperationalError) as error:
            log.warning("the end of a task could not be told", list=held.list, error=str(error))
            self._slot.leave(int(tag))
            self._holder.decide("crash", tag)  # it is delivered again, but not for ever
        except Exception as error:  # what nobody foresaw must not end the process
            log.exception("a message could not be run", list=held.list)
            self._slot.leave(int(tag))
            self._holder.bury(tag, UNREADABLE, f"{type(error).__name__}: {error}")

    def _run(self, tag: str, held: Held) -> None:
        try:
            message = Delivered(self._channel, tag, held)
        except (Unreadable, InvalidTaskError) as error:
            log.warning("unreadable message", list=held.list, problem=str(error))
            self._holder.bury(tag, UNREADABLE, str(error))
            return
        if message.due is not None and message.due > self._holder.now():
            self._holder.delay(tag, message.due)
            return
        message.headers["eta"] = None
        plan = self._plans.get(message.headers["task"])
        if plan is None:
            self._park(tag, message.headers["task"])
        else:
            self._unless_settled(plan, message)

    def _park(self, tag: str, name: str) -> None:
        log.warning("a message for a task that this worker does not know is parked", task=name)
        self._holder.decide("park", tag, name)

    def _unless_settled(self, plan: Plan, message: Delivered) -> None:
        headers = message.headers
        if plan.checks and is_wanted(headers) and any(check(message, headers) for check in plan.checks):
            return
        request = None
        if not self._is_plain(plan, headers):
            request = self._request(plan, message)
            if request.revoked():
                return
            signals.task_received.send(sender=self, request=request)
        if self._events.enabled:
            self._announce(headers)
        if not plan.task.acks_late:
            self._acknowledge_early(message)
        self._trace(plan, message, request)

    def _is_plain(self, plan: Plan, headers: Mapping[str, Any]) -> bool:
        if headers.get("expires") or headers.get("stamped_headers"):
            return False
        return plan.plain and headers["id"] not in state.revoked

    def _request(self, plan: Plan, message: Delivered) -> Any:
        return message.request(plan.task, plan.request, app=self._app, hostname=self._hostname, eventer=self._events)

    def _announce(self, headers: Mapping[str, Any]) -> None:
        known = {name: headers.get(name) for name in ("root_id", "parent_id", "expires")}
        self._events.send(
            "task-received",
            uuid=headers["id"],
            name=headers.get("shadow") or headers["task"],
            args=headers.get("argsrepr") or "",
            kwargs=headers.get("kwargsrepr") or "",
            retries=headers.get("retries") or 0,
            eta=None,
            **known,
        )
        self._events.send("task-started", uuid=headers["id"])

    def _acknowledge_early(self, message: Delivered) -> None:
        self._holder.ack(message.delivery_tag)
        self._flush_soon()  # if that fails it must run all the same

    def _trace(self, plan: Plan, message: Delivered, request: Any) -> None:
        headers = message.headers
        hard, soft = headers.get("timelimit") or (None, None)
        args, kwargs, _ = message.body
        arguments = message.run_with(self._hostname)
        failure: Any = None
        seconds, shown, escaped = 0.0, None, False
        self._enter(plan, message, soft or plan.soft or 0, hard or plan.hard or 0)
        try:
            failure, info, seconds, shown = plan.trace(headers["id"], args, kwargs, arguments)
            self._leave()
            succeeded = info is None
        except BaseException as error:  # noqa: BLE001  - a task that calls exit, and errors outside of its body
            self._leave()
            succeeded, escaped, failure = False, True, ExceptionInfo()
            self.spoilt = not isinstance(error, Exception)
        if succeeded:
            self._holder.ack(message.delivery_tag)
            if self._events.enabled and plan.task.send_events:
                self._events.send("task-succeeded", uuid=headers["id"], result=shown, runtime=seconds)
        else:
            self._failed(request or self._request(plan, message), failure, escaped=escaped)
        self._slot.end(int(message.delivery_tag), plan.place)

    def _enter(self, _plan: Plan, message: Delivered, soft: float, hard: float) -> None:
        """From now on the limits hold, and the message is to blame if the process dies."""
        self.running = message.delivery_tag
        self._slot.begin(int(message.delivery_tag), int(1000 * soft), int(1000 * hard))
        if 0 < soft < NEAR_SECONDS or 0 < hard < NEAR_SECONDS:
            self._tell()

    def _leave(self) -> None:
        """The tracer is through."""
        self.running = None

    def _failed(self, request: Any, failure: Any, *, escaped: bool) -> None:
        try:
            request.on_failure(failure, return_ok=not escaped)  # True: the tracer has stored it
        except MemoryError:  # Celery raises it again in the main process
            request.acknowledge()
            self.spoilt = True
        self._flush_soon()  # the parent acknowledges what it finds finished when this process dies: no letter then

    def _flush_soon(self) -> None:
        try:
            self._flush()
        except (RedisError, OSError) as error:
            log.warning("what became of a message is told on the next connection", error=str(error))
