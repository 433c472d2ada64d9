"""The client for asyncio: what `taskclient.client.TaskClient` does, without blocking the event loop."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from taskclient.aio_connection import AsyncProducer, connect
from taskclient.aio_handle import AsyncTaskHandle, AsyncWorkflowHandle
from taskclient.aio_operations import AsyncOperations
from taskclient.aio_results import AsyncResultStore
from taskclient.batch import build_batch
from taskclient.calls import build_call
from taskclient.canvas import Stage, Step, group, task_names
from taskclient.canvas_messages import Outgoing
from taskclient.canvas_sender import prepare
from taskclient.catalog import CATALOG_KEY, UNTIL_KEY, CatalogEntry, entries_of
from taskclient.client import TaskClient
from taskclient.connection import broker_errors
from taskclient.contracts import Contracts, Known, chosen_contracts
from taskclient.errors import BatchInterrupted, BrokerUnavailable
from taskclient.message import Template
from taskclient.names import queue_of
from taskclient.producer import MAX_MEMORY, MOST_AT_ONCE, Limits, max_backlog_from_environment
from taskclient.results import TaskRecord
from taskclient.schedule import end_time, start_time
from taskclient.urls import default_result_url, is_amqp
from taskclient.workflow import WorkflowRun


class AsyncTaskClient(AsyncOperations):
    """Sends tasks to Celery workers on Redis; one client for an event loop is enough, and any number of tasks share it.

        async with AsyncTaskClient("redis://localhost:6379/0") as client:
            task = await client.send("app.tasks.email.send_email", to="ada@example.com", subject="Hello", body="...")
            receipt = await task.result(timeout=30)

    However many results are waited for, one connection hears of them all, and no thread is taken; only operators'
    calls, those of `taskclient.aio_operations`, take one each. Arguments and errors, here and of all methods, are
    those of `taskclient.client.TaskClient`; RabbitMQ is left to that one.

    Raises:
        ValueError: the broker is RabbitMQ, or as for `TaskClient`.
    """

    def __init__(
        self,
        broker_url: str,
        result_url: str | None = None,
        *,
        max_backlog: int | None = None,
        max_memory: float = MAX_MEMORY,
        contracts: Sequence[Path] | None = None,
        check: bool = True,
    ) -> None:
        if is_amqp(broker_url):
            raise ValueError("The asyncio client sends to Redis only: use TaskClient in a thread for RabbitMQ.")
        self._url = broker_url
        self._broker = connect(broker_url)
        most = max_backlog_from_environment() if max_backlog is None else max_backlog
        self._producer = AsyncProducer(self._broker, Limits(most, max_memory))
        self._results = AsyncResultStore(result_url or default_result_url(broker_url))
        self._files = chosen_contracts(contracts) if check else None
        self._contracts = Contracts(list) if check else None
        self._reading = asyncio.Lock()
        self._make_operator = lambda: TaskClient(
            broker_url, result_url, max_backlog=most, max_memory=max_memory, contracts=contracts, check=check
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; handles of this client can no longer be asked."""
        await self._broker.aclose()  # type: ignore[attr-defined]  # the stubs describe redis-py 4
        await self._results.close()
        await self._close_operator()

    async def send(
        self,
        name: str,
        /,
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        task_id: str | None = None,
        queue: str | None = None,
        **payload: Any,
    ) -> AsyncTaskHandle:
        """Send a task whose payload is written as keyword arguments."""
        return await self.send_payload(
            name,
            payload,
            eta=eta,
            countdown=countdown,
            expires=expires,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
            task_id=task_id,
            queue=queue,
        )

    async def send_payload(
        self,
        name: str,
        payload: Mapping[str, Any],
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        idempotency_key: str | None = None,
        task_id: str | None = None,
        queue: str | None = None,
    ) -> AsyncTaskHandle:
        """Send a task, after a look into the catalog whether there is such a task and the payload fits it."""
        call = build_call(
            await self._known(name),
            name,
            payload,
            eta=eta,
            countdown=countdown,
            expires=expires,
            correlation_id=correlation_id,
            idempotency_key=idempotency_key,
            task_id=task_id,
            queue=queue,
        )
        await self._push(f"{name} as task {call.task_id}", call.queue, call.message)
        return AsyncTaskHandle(call.task_id, self._results, name)

    async def submit_and_wait(self, name: str, /, timeout: float | None, **payload: Any) -> Any:
        """Send a task as `send` does, and wait for what it returns."""
        return await (await self.send(name, **payload)).result(timeout)

    async def send_many(
        self,
        name: str,
        payloads: Iterable[Mapping[str, Any]],
        *,
        eta: datetime | None = None,
        countdown: float | None = None,
        expires: float | datetime | None = None,
        correlation_id: str | None = None,
        task_ids: Sequence[str] | None = None,
        idempotency_keys: Sequence[str] | None = None,
        queue: str | None = None,
    ) -> list[AsyncTaskHandle]:
        """Send many tasks of one name, some hundreds in each round trip."""
        known = await self._known(name)
        queue = queue or known.queue
        template = Template(name, queue, start_time(eta, countdown), end_time(expires), known.check)
        messages = build_batch(template, payloads, task_ids, correlation_id, idempotency_keys)
        await self._push_all(name, Outgoing({queue: messages}))
        return [AsyncTaskHandle(task_id, self._results, name) for task_id in messages]

    async def chain(
        self,
        *stages: Stage,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> AsyncWorkflowHandle:
        """Send steps that run one after the other; a stage may be a `group`, whose branches run side by side."""
        for task in task_names(stages):
            await self._read_for(task)
        canvas, messages = prepare(
            stages, self._read_before, correlation_id=correlation_id, run_id=run_id, check_joints=check_joints
        )
        await self._results.expect_chords(messages.chords)
        await self._push_all(canvas.run_id, messages)
        return AsyncWorkflowHandle(canvas, self._results)

    async def group(
        self,
        branches: Iterable[Step | Sequence[Step]],
        *,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> AsyncWorkflowHandle:
        """Send branches that run side by side."""
        return await self.chain(
            group(branches), correlation_id=correlation_id, run_id=run_id, check_joints=check_joints
        )

    async def chord(
        self,
        header: Iterable[Step | Sequence[Step]],
        body: Step,
        *,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> AsyncWorkflowHandle:
        """Send branches that run side by side, and a step that runs when all have succeeded."""
        return await self.chain(
            group(header), body, correlation_id=correlation_id, run_id=run_id, check_joints=check_joints
        )

    def handle(self, task_id: str) -> AsyncTaskHandle:
        """A handle on a task that was sent earlier, here or elsewhere; nothing is asked yet."""
        return AsyncTaskHandle(task_id, self._results)

    async def records(self, run: WorkflowRun) -> dict[str, TaskRecord]:
        """What is stored about the steps of a workflow's run, by the ids of their tasks."""
        return await self._results.get_many(run.task_ids)

    async def catalog(self) -> list[CatalogEntry]:
        """All tasks that workers have published, sorted by name."""
        with broker_errors(self._url, "reading the catalog"):
            return await self._read_catalog()

    async def _known(self, name: str) -> Known:
        await self._read_for(name)
        return self._read_before(name)

    def _read_before(self, name: str) -> Known:
        return self._contracts.read_before(name) if self._contracts else Known(queue_of(name))

    async def _read_for(self, name: str) -> None:
        """Read the contracts if they are wanted; of many that want them at once, one reads."""
        if self._contracts is None or not self._contracts.wanted(name):
            return
        async with self._reading:
            if self._contracts.wanted(name):
                try:
                    self._contracts.put(self._files or await self._read_catalog())
                except redis.RedisError as error:
                    self._contracts.unread(error)

    async def _read_catalog(self) -> list[CatalogEntry]:
        stored = await self._broker.hgetall(CATALOG_KEY)
        return entries_of(stored, await self._broker.hgetall(UNTIL_KEY))

    async def _push(self, what: str, queue: str, *messages: bytes) -> None:
        with broker_errors(self._url, f"sending {what}"):
            await self._producer.push(queue, *messages)

    async def _push_all(self, what: str, messages: Outgoing) -> None:
        sent: list[str] = []
        for queue, ids, raw in messages.pieces(MOST_AT_ONCE):
            try:
                await self._push(f"{len(raw)} tasks {what}", queue, *raw)
            except BrokerUnavailable as error:
                raise BatchInterrupted(str(error), sent, messages.ids[len(sent) :]) from error
            sent.extend(ids)
