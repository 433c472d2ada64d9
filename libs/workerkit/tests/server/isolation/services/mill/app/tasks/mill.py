"""What other services call."""

import os
import time
from pathlib import Path

from app.celery_app import app


@app.task(name="app.tasks.mill.grind")
def grind(name: str, seconds: float = 0) -> str:
    """Take some time."""
    with (Path(os.environ["TRACES"]) / name).open("a") as file:
        file.write("start\n")
    time.sleep(seconds)
    return f"flour for {name}"
