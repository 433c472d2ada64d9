"""Orders: a payload with everything that a form can hold, and a task that reports its progress."""

import time
from datetime import date
from enum import Enum
from typing import Annotated, Any

from pydantic import BaseModel, EmailStr, Field
from shop_app import app

from workerkit.progress import Progress


class Priority(Enum):
    """How soon it is wanted."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class Customer(BaseModel):
    """Who ordered."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    email: EmailStr
    referred_by: "Customer | None" = None


class Line(BaseModel):
    """One line of an order."""

    item: Annotated[str, Field(min_length=1)]
    count: Annotated[int, Field(ge=1, le=99)] = 1


class Receipt(BaseModel):
    """What was taken."""

    pieces: int
    priority: Priority
    labels: dict[str, str]


@app.task(name="app.tasks.orders.place")
def place(
    customer: Customer,
    lines: Annotated[list[Line], Field(min_length=1, max_length=20)],
    priority: Priority = Priority.NORMAL,
    wanted_on: date | None = None,
    is_gift: bool = False,
    rebate: Annotated[float, Field(ge=0, le=0.5)] | None = None,
    note: Annotated[str, Field(max_length=1000)] = "",
    labels: dict[str, str] = {},  # noqa: B006 - the contract's default
) -> Receipt:
    """Take an order of one customer, and say how many pieces are in it."""
    return Receipt(pieces=sum(line.count for line in lines), priority=priority, labels=labels)


@app.task(name="app.tasks.orders.export", bind=True)
def export(self: Any, rows: Annotated[int, Field(ge=1, le=1_000_000)], seconds: float = 0.0) -> int:
    """Write orders to a file, and report each row."""
    progress = Progress(self, per_second=20)
    for row in range(1, rows + 1):
        progress(row, rows, f"order {row}")
        time.sleep(seconds)
    return rows
