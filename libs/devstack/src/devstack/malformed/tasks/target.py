"""Tasks that malformed messages call: quick ones, with arguments of many types, that fail in each way."""

import os
import time
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, Field, PositiveInt

from devstack.malformed.target import app
from workerkit.errors import PermanentError, TransientError

_MEETING_SECONDS = 40.0


class Order(BaseModel):
    """A payload of more than one level."""

    number: PositiveInt
    tags: list[str] = []


@app.task(name="app.tasks.target.note")
def note(token: str) -> str:
    """Do nothing; the worker has recorded it."""
    return token[:100]


@app.task(name="app.tasks.target.place")
def place(order: Order, day: str, count: PositiveInt = 1) -> Order:
    """Take a model and plain parameters, give back a model."""
    return Order(number=order.number + count, tags=[*order.tags, day][:10])


@app.task(name="app.tasks.target.total")
def total(numbers: list[Any]) -> int:
    """The body of a chord."""
    return len(numbers)


@app.task(name="app.tasks.target.pause")
def pause(seconds: Annotated[float, Field(ge=0, le=0.2)]) -> None:
    """Take a moment."""
    time.sleep(seconds)


@app.task(name="app.tasks.target.again", bind=True, retry_backoff_max=1)
def again(self: Any, token: str) -> str:
    """Fail at first, and succeed when retried."""
    if not self.request.retries:
        raise TransientError("the first attempt fails")
    return token[:100]


@app.task(name="app.tasks.target.refuse")
def refuse(token: str) -> None:
    """Fail for good."""
    raise PermanentError(f"refused a token of {len(token)} characters")


@app.task(name="app.tasks.target.bug", retry_backoff_max=1)
def bug(token: str) -> None:
    """Fail by a bug, which is retried a few times."""
    raise ZeroDivisionError(f"a token of {len(token)} characters")


@app.task(name="app.tasks.target.meet", soft_time_limit=50, time_limit=60)
def meet(place: UUID, who: int, count: int) -> None:
    """Wait until so many of these tasks run at once, which shows that so many slots of the pool are free."""
    folder = Path(os.environ["TARGET_RECORD"]).parent
    (folder / f"{place}.{who}").touch()
    deadline = time.monotonic() + _MEETING_SECONDS
    while not all((folder / f"{place}.{other}").exists() for other in range(count)):
        if time.monotonic() > deadline:
            raise PermanentError(f"fewer than {count} slots are free")
        time.sleep(0.01)
    (folder / f"{place}.{who}.met").touch()
