"""The later steps; they fail while a file says so."""

import os
from pathlib import Path

from mill_app import app

from workerkit.errors import PermanentError

TRACES = Path(os.environ["TRACES"])


@app.task(name="app.tasks.mill.grind")
def grind(grain: dict[str, str]) -> str:
    """Take the result of the step before."""
    field = grain["from"]
    with (TRACES / "grind").open("a") as file:
        file.write(f"{field}\n")
    if (TRACES / f"broken {field}").exists():
        raise PermanentError(f"stones in the grain from {field}")
    return f"flour from {field}"


@app.task(name="app.tasks.mill.store")
def store(sacks: list[str]) -> int:
    """Take the results of all branches."""
    return len(sacks)


@app.task(name="app.tasks.mill.bake")
def bake(loaves: int) -> int:
    """Come after all branches."""
    with (TRACES / "bake").open("a") as file:
        file.write(f"{loaves}\n")
    if (TRACES / "cold").exists():
        raise PermanentError("the oven is cold")
    return loaves
