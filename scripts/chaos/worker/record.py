"""Notes in the ledger what a task does; the ledger is a server of its own, which no fault touches."""

import os
import time
from typing import Any

import redis
from celery import current_task

_KEY = os.environ.get("CHAOS_LEDGER_KEY", "")
_clients: dict[int, "redis.Redis[bytes]"] = {}


def task_id() -> str:
    """The id of the task that runs."""
    return str(current_task.request.id)


def client() -> Any:
    """This process's connection to the ledger."""
    known = _clients.get(os.getpid())
    if known is None:
        known = _clients[os.getpid()] = redis.Redis.from_url(os.environ["CHAOS_LEDGER_URL"])
    return known


def note(kind: str) -> None:
    """Append one line: the kind, the task's id, the process, and the time on the clock that all processes share.

    Args:
        kind: "start", "effect" or "end".
    """
    client().rpush(_KEY, f"{kind} {task_id()} {os.getpid()} {time.monotonic():.4f}")


_TALLY = "if redis.call('SETBIT', KEYS[1], ARGV[1], 1) == 1 then redis.call('RPUSH', KEYS[1] .. ':again', ARGV[1]) end"


def tally(kind: str, number: int) -> None:
    """Set a task's bit in the map of one kind; who finds it set appends the number to the list of repetitions.

    Args:
        kind: "start" or "end".
        number: the task's number, from 0.
    """
    client().eval(_TALLY, 1, f"{_KEY}:{kind}", str(number))
