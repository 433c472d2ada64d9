"""Tasks that report their progress."""

import threading
import time
from typing import Any

from toolbox_app import app

from workerkit.errors import PermanentError
from workerkit.progress import Progress


@app.task(name="app.tasks.toolbox.count", bind=True)
def count(self: Any, steps: int, seconds: float) -> int:
    """Take some steps."""
    progress = Progress(self)
    for step in range(1, steps + 1):
        progress(step, steps, f"step {step}")
        time.sleep(seconds)
    return steps


@app.task(name="app.tasks.toolbox.rows", bind=True)
def rows(self: Any, number: int) -> dict[str, float]:
    """Report every row; gives the seconds that took, by the clock and of the CPU."""
    progress = Progress(self)
    wall, cpu = time.perf_counter(), time.process_time()
    for row in range(1, number + 1):
        progress(row, number)
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


@app.task(name="app.tasks.toolbox.careless", bind=True)
def careless(self: Any, *, fails: bool) -> str:
    """Leave a thread behind that goes on reporting."""
    progress = Progress(self, per_second=20)
    progress(1, 1000)

    def go_on() -> None:
        for step in range(2, 40):
            time.sleep(0.05)
            progress(step, 1000, "late")

    threading.Thread(target=go_on, daemon=True).start()
    if fails:
        raise PermanentError("no")
    return "done"
