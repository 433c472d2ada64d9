"""The holders of this process: each outlives the connections that it works on."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import structlog
from redis.exceptions import RedisError

from workerkit.transport.holder import Holder, Options
from workerkit.transport.keeper import Keeper
from workerkit.transport.link import Link

log = structlog.get_logger("worker")


@dataclass
class _Entry:
    key: tuple[Any, ...]
    holder: Holder
    keeper: Keeper
    used: bool = True
    running: bool = False


@dataclass
class Hooks:
    """What a worker wants to be told by its holders, and asked.

    Args:
        on_condemned: a message became a dead letter without having been run to its end: its bytes, and why.
        knows: whether this worker has a task of that name, so that parked messages for it are offered again.
        on_cancelled: messages of these tasks were claimed, and must not be run.
        on_letters: every few seconds, how full the store of dead letters is, in percent.
        room: how many messages may be delivered beside those that the consumer asks for, while tasks are short.
    """

    on_condemned: Callable[[bytes, str], None] = lambda _raw, _problem: None
    knows: Callable[[str], bool] = lambda _: False
    on_cancelled: Callable[[list[str]], None] = lambda _: None
    on_letters: Callable[[int], None] = lambda _: None
    room: Callable[[], int] = lambda: 0


hooks = Hooks()
_entries: list[_Entry] = []


def take(options: Options, address: tuple[Any, ...], connect: Callable[[], Link], worker: str = "") -> Holder:
    """The holder for a channel that begins to consume: the one of an earlier connection, else a new one.

    Args:
        options: of the transport.
        address: tells one Redis from another.
        connect: opens a connection.
        worker: common to the processes of one worker that claim for themselves.
    """
    key = (options, *address)
    entry = next((e for e in _entries if e.key == key and not e.used), None)
    if entry is None:
        holder = Holder(options, worker)
        entry = _Entry(key, holder, Keeper(holder, connect, lambda: None))
        holder.on_delayed, holder.on_waiting = entry.keeper.due_at, entry.keeper.watch
        holder.on_condemned, entry.keeper.knows = hooks.on_condemned, hooks.knows
        holder.on_cancelled, holder.room = hooks.on_cancelled, hooks.room
        entry.keeper.on_letters = hooks.on_letters
        _entries.append(entry)
    entry.used, entry.keeper.connect = True, connect
    return entry.holder


def started(holder: Holder, look: Callable[[], None]) -> None:
    """A feeder works for the holder now; `look` has it look into its queues."""
    entry = _entry(holder)
    entry.keeper.kick = look
    if not entry.running:
        entry.running = True
        entry.keeper.start()


def free(holder: Holder) -> None:
    """Its channel is closed; the lease is kept for the tasks that still run, and for the next channel."""
    entry = _entry(holder)
    entry.used, entry.keeper.kick = False, lambda: None


def keepers() -> Iterator[tuple[Holder, Keeper]]:
    """All holders of this process with their keepers."""
    yield from ((entry.holder, entry.keeper) for entry in list(_entries))


def leave() -> None:
    """Give back all that is held and end the leases; for the end of the process."""
    while _entries:
        entry = _entries.pop()
        entry.keeper.stop()
        try:
            link = entry.keeper.connect()
            entry.holder.leave(link)
            link.close()
        except (RedisError, OSError) as error:
            log.warning(
                "messages are given back when the lease is over", held=len(entry.holder.books.held), error=str(error)
            )


def _entry(holder: Holder) -> _Entry:
    return next(entry for entry in _entries if entry.holder is holder)


# A child must neither use the parent's connections nor give back its messages.
os.register_at_fork(after_in_child=_entries.clear)
