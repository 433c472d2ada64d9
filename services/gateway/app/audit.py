"""The audit log: one line for every change that somebody asked for, with its outcome."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from app.keys import ApiKey, Verb
from app.problems import answer_of

EVENT: Final = "audit"
log = structlog.get_logger("audit")


@contextmanager
def audited(key: ApiKey, verb: Verb, thing: str) -> Iterator[dict[str, str]]:
    """Write a line when what is inside has ended, well or badly.

    Args:
        key: whose key asked.
        verb: what for.
        thing: what it is done to: a task's name, an id, a queue.

    Yields:
        More fields for the line, to be filled in, such as the id of a new job.
    """
    more: dict[str, str] = {}
    try:
        yield more
    except Exception as error:
        log.warning(EVENT, key=key.id, verb=verb, object=thing, outcome=answer_of(error).status_code, **more)
        raise
    log.info(EVENT, key=key.id, verb=verb, object=thing, outcome="done", **more)
