"""A process of the pool: claims messages for itself, and runs up to some hundreds of them on one event loop."""

import asyncio
import math
import time
from functools import partial
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError

from workerkit import event_loop
from workerkit.async_tasks import greenlets, isolation, results
from workerkit.async_tasks.job import Job, code, current, new_task
from workerkit.async_tasks.links import LoopLink
from workerkit.async_tasks.runner import AsyncRunner
from workerkit.async_tasks.threads import JobThreads
from workerkit.coroutines import whose
from workerkit.event_loop import MainLoop
from workerkit.short_tasks.address import Address
from workerkit.short_tasks.child import BLOCKED_SECONDS, Child

log = structlog.get_logger("worker")
_AT_ONCE = 64  # claimed by one step, so that other processes have their share of a burst


class AsyncChild(Child):
    """The claiming of a child for short tasks, in a greenlet; what it has claimed runs beside it, each in its own."""

    _kind_of_runner = AsyncRunner

    def __init__(self, app: Any, *arguments: Any) -> None:
        super().__init__(app, *arguments)
        self._loop = asyncio.new_event_loop()
        self._most: int = app.conf.worker_coroutines
        self._jobs: set[Job] = set()
        self._given_up: list[Job] = []  # kept until the process ends
        self._endings: set[asyncio.Task[None]] = set()
        self._flushes: list[asyncio.Future[None]] = []
        self._waiter: asyncio.Future[None] | None = None
        self._poked = False
        self._lost: Exception | None = None  # what happened to the connection that wakes it

    @classmethod
    def prepare(cls, app: Any) -> None:
        """Before Celery's tracers are built."""
        isolation.install(app)
        results.install(app)

    def run(self) -> None:
        """Work until the parent wants no more, or until it is time for a fresh process."""
        event_loop.adopt(MainLoop(self._loop, _run_here, greenlets.wait, _may_run, greenlets.may_wait))
        self._loop.set_task_factory(new_task)
        self._loop.set_default_executor(JobThreads(self._loop))
        self._loop.add_reader(self._orders, self._on_orders)
        self._loop.add_reader(self._kicked, self._on_kicked)
        claiming = self._loop.create_task(self._claim())
        while not claiming.done():
            try:
                self._loop.run_until_complete(claiming)
            except (SystemExit, KeyboardInterrupt):  # of a task that a coroutine started; the loop can go on
                if claiming.done():
                    raise
                log.warning("a coroutine has tried to end the process")
                self._runner.spoilt = True
                self._poke()
        claiming.result()

    async def _claim(self) -> None:
        await greenlets.in_greenlet(super().run)

    def _on_soft_limit(self, *_: Any) -> None:
        job = code.inside
        if job is not None and str(job.tag) == self._slot.interrupted:
            job.interrupt_here()

    def _on_orders(self) -> None:
        self._orders.read()
        if self._orders.terminated:
            self._terminate()
        self._poke()

    def _terminate(self) -> None:
        jobs = {str(job.tag): job for job in self._jobs}
        for tag, what in self._orders.terminated:
            if tag in jobs and what == "soft":
                jobs[tag].interrupt()
            elif tag in jobs:
                jobs[tag].revoke(what)
        self._orders.terminated.clear()

    def _on_kicked(self) -> None:
        self._kicked.recv(4096)
        self._poke()

    def _on_wake_up(self) -> None:
        try:
            self._wake_up.drain()
        except RedisConnectionError as error:
            self._lost = error
            self._loop.remove_reader(self._wake_up)
        self._poke()

    def _poke(self) -> None:
        """Have it claim, and tell what is finished."""
        self._poked = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _is_to_leave(self) -> bool:
        leave = super()._is_to_leave()
        if leave and not self._slot.leaving and not self._orders.leave:
            self._slot.leaving = True
            self._orders.tell()  # so that the parent replaces it now
        return leave

    def _is_over(self) -> bool:
        return self._is_to_leave() and not self._jobs and not self._endings

    def _open(self, found: Address) -> None:
        self._link = self._in_thread(partial(found.connect, LoopLink))
        self._wake_up = self._in_thread(partial(found.wake_up, self._link))
        self._lost = None
        self._loop.add_reader(self._wake_up, self._on_wake_up)

    def _in_thread(self, connect: Any) -> Any:
        return greenlets.wait(self._loop.run_in_executor(None, connect))

    def _disconnect(self) -> None:
        if self._wake_up is not None and self._wake_up.fileno() >= 0:
            self._loop.remove_reader(self._wake_up)
        super()._disconnect()
        if self._holder is not None:
            # While it rests, the lease's thread is not to wait for Redis in its place: it would hold the books' lock.
            self._holder.stepped_at = math.inf
        flushes, self._flushes = self._flushes, []
        for flush in flushes:
            if not flush.done():
                flush.set_exception(RedisConnectionError("the connection was lost"))

    def _rest(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_over():
            self._poked = False
            self._await_poke(left)
            self._obey()

    def _flush(self) -> None:
        if self._link is None:
            return
        flushed: asyncio.Future[None] = self._loop.create_future()
        self._flushes.append(flushed)
        self._poke()
        greenlets.wait(flushed)

    def _turn(self) -> None:
        if self._lost is not None:
            raise self._lost
        self._poked = False
        flushes, self._flushes = self._flushes, []
        try:
            step = self._confirmed_step()
        except Exception:
            self._flushes += flushes
            raise
        self._flushed(flushes, complete=step.complete)
        if self._slot.taken:
            self._holder.reconcile(self._link)
            self._slot.taken = False
        self._work()
        if not (self._more or self._holder.undecided or self._is_over()):
            self._wait(BLOCKED_SECONDS if step.blocked else None)

    def _flushed(self, flushes: "list[asyncio.Future[None]]", *, complete: bool) -> None:
        if not complete:
            self._flushes += flushes
            return
        for flush in flushes:
            if not flush.done():
                flush.set_result(None)

    def _step(self) -> Any:
        holder, free = self._holder, self._most - len(self._jobs)
        suspect_runs = holder.alone and holder.books.held
        may_claim = free > 0 and not suspect_runs and not self._is_to_leave()
        lists = self._lists() if may_claim else []
        want = min(free, _AT_ONCE) if lists else 0
        now = time.monotonic()
        step = holder.step(self._link, lists, want, along=self._patience.is_over(now))
        if want:
            self._patience.note(step.blocked, now)
        self._more = 0 < want == step.claimed < free
        return step

    def _work(self) -> None:
        for _ in range(min(len(self._holder.books.waiting), self._most - len(self._jobs))):
            job = Job(self._slot, self._give_up)
            self._jobs.add(job)
            job.asyncio_task = self._loop.create_task(self._run_job(job))

    async def _run_job(self, job: Job) -> None:
        current.set(job)
        whose.set(job)
        try:
            await greenlets.in_greenlet(self._begin_job, job)
        except asyncio.CancelledError:
            if not job.abandoned:
                raise
        finally:
            self._jobs.discard(job)
            self._poke()

    def _begin_job(self) -> None:
        # Until here the message was one that waits: the lease's thread and the parent may have put it back.
        holder = self._holder
        stale = time.monotonic() - holder.renewed_at > self._fresh
        tag = None if stale or self._slot.taken or self._is_to_leave() else holder.take()
        if tag is not None:
            self._runner.run(tag, holder.books.held[tag])

    def _give_up(self, job: Job, why: str, value: Any) -> None:
        """End a job without its coroutine; the process is replaced, as what the coroutine has stays as it is."""
        log.warning("a coroutine is given up", why=why)
        self._given_up.append(job)
        self._runner.spoilt = True
        job.abandon()
        ending = self._loop.create_task(self._settle(job, why, value))
        self._endings.add(ending)
        ending.add_done_callback(self._settled)

    async def _settle(self, job: Job, why: str, value: Any) -> None:
        await greenlets.in_greenlet(partial(self._runner.give_up, job, why, value))

    def _settled(self, ending: "asyncio.Task[None]") -> None:
        self._endings.discard(ending)
        self._poke()

    def _wait(self, seconds: float | None) -> None:
        if self._look:
            self._look = False
            self._wake_up.check()
        self._weigh_at = 0.0
        if not self._poked:
            self._await_poke(seconds)

    def _await_poke(self, seconds: float | None) -> None:
        self._waiter = self._loop.create_future()
        timer = None if seconds is None else self._loop.call_later(seconds, self._poke)
        try:
            greenlets.wait(self._waiter)
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()


def _run_here(coroutine: Any) -> Any:
    job = current.get()
    return greenlets.wait(coroutine) if job is None else job.run(coroutine)


def _may_run() -> bool:
    return greenlets.may_wait() and not greenlets.in_coroutine()
