"""Tasks of two queues, and one that no route knows if the environment asks for it."""

import os
import time
from pathlib import Path

from starter_app import app


@app.task(name="app.tasks.starter.work")
def work(seconds: float) -> float:
    (Path(os.environ["TRACES"]) / "work").write_text("start\n")
    time.sleep(seconds)
    return seconds


@app.task(name="app.tasks.second.work")
def second(number: int) -> int:
    return number


if "STARTER_UNROUTED" in os.environ:

    @app.task(name="app.tasks.strater.work")
    def unrouted(number: int) -> int:
        return number


if "STARTER_SHORT_TASK" in os.environ:

    @app.task(name="app.tasks.starter.short", time_limit=60)
    def short(number: int) -> int:
        return number
