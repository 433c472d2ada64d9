"""Tasks for callers of the gateway."""

import time
from typing import Annotated, Any

from clerk_app import app
from pydantic import BaseModel, EmailStr, Field

from workerkit.errors import PermanentError
from workerkit.progress import Progress


class Line(BaseModel):
    """One line of an order."""

    item: str
    count: Annotated[int, Field(ge=1, le=99)]


@app.task(name="app.tasks.clerk.order")
def order(customer: EmailStr, lines: list[Line]) -> int:
    """Count what was ordered."""
    return sum(line.count for line in lines)


@app.task(name="app.tasks.clerk.refuse")
def refuse(reason: str) -> None:
    """Fail for good."""
    raise PermanentError(reason)


@app.task(name="app.tasks.clerk.echo")
def echo(value: Any) -> Any:
    """Give back what came."""
    return value


@app.task(name="app.tasks.clerk.walk", bind=True)
def walk(self: Any, steps: int, seconds: float = 0.0, per_second: float = 200.0) -> int:
    """Take some steps, and report each."""
    progress = Progress(self, per_second=per_second)
    for step in range(1, steps + 1):
        progress(step, steps, f"step {step}")
        time.sleep(seconds)
    return steps
