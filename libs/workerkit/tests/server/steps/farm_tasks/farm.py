"""The workflow `bread`, its first steps, and what is sent when a step fails."""

import os
from pathlib import Path
from typing import Any

from farm_app import app

from taskclient.workflow import WorkflowRun
from workerkit.workflow import Parallel, Step, Workflow, failures, find_run, resume

TRACES = Path(os.environ["TRACES"])


def bread(fields: list[str]) -> Workflow:
    branches = [
        [
            Step(f"harvest {field}", "app.tasks.farm.harvest", {"field": field}),
            Step(f"grind {field}", "app.tasks.mill.grind", takes="grain"),
        ]
        for field in fields
    ]
    stages = [
        Parallel(branches),
        Step("bake", "app.tasks.mill.bake", {"loaves": 2}),
        Step("sell", "app.tasks.farm.sell", {"price": 3}, takes="loaves"),
        Step("tell", "app.tasks.farm.tell", takes="income"),
    ]
    return Workflow("bread", stages, on_failure="app.tasks.farm.failed")


@app.task(bind=True, name="app.tasks.farm.make_bread")
def make_bread(self: Any, fields: list[str]) -> WorkflowRun:
    """Start the workflow."""
    workflow = bread(fields)
    workflow.send(self.app, self.request.id)
    return workflow.run(self.request.id, {"fields": fields})


@app.task(bind=True, name="app.tasks.farm.go_on")
def go_on(self: Any, run_id: str) -> WorkflowRun:
    """Resume the workflow."""
    run = find_run(self.app, run_id)
    return resume(self.app, bread(**run.parameters), run, self.request.id)


@app.task(name="app.tasks.farm.harvest")
def harvest(field: str) -> dict[str, str]:
    """The first step of a branch."""
    _trace("harvest", field)
    return {"from": field}


@app.task(name="app.tasks.farm.sell")
def sell(loaves: int, price: int) -> int:
    """Take the result of the step before, and a payload of its own."""
    _trace("sell", str(loaves))
    return loaves * price


@app.task(name="app.tasks.farm.tell")
def tell(income: int) -> str:
    """Take the result of the step before."""
    return f"{income} earned"


@app.task(bind=True, name="app.tasks.farm.failed")
def failed(self: Any, task_id: str, run_id: str) -> None:
    """Write down which steps failed, as the workflow knows them."""
    reasons = failures(self.app, find_run(self.app, run_id))
    _trace("failed", "; ".join(f"{key}: {reason}" for key, reason in reasons.items()))


def _trace(name: str, line: str) -> None:
    with (TRACES / name).open("a") as file:
        file.write(f"{line}\n")
