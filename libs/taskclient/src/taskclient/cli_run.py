"""Shows a task, or all steps of a workflow, while they run: one line each, with its progress."""

import time

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from taskclient.client import TaskClient
from taskclient.follow import Snapshot, follow
from taskclient.handle import TaskHandle
from taskclient.outcome import reason_of
from taskclient.results import TaskRecord
from taskclient.workflow import WorkflowStep

_COLOURS = {"SUCCESS": "green", "FAILURE": "red", "REVOKED": "red", "RETRY": "yellow", "PENDING": "dim"}
_BAR_WIDTH = 24


class RunTable:
    """The table of one run; it remembers when each step could begin, so that it can say how long it took."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}
        self._ended: dict[str, float] = {}

    def render(self, snapshot: Snapshot) -> Table:
        """The table for one moment."""
        table = Table(
            Column("step", no_wrap=True), Column("state", no_wrap=True), "progress", Column("s", justify="right")
        )
        ended = {step.key for step in snapshot.steps if snapshot.records[step.id].status == "SUCCESS"}
        for step in snapshot.steps:
            record = snapshot.records[step.id]
            if ended.issuperset(step.after):
                self._began.setdefault(step.key, time.monotonic())
            if record.finished:
                self._ended.setdefault(step.key, time.monotonic())
            colour = _COLOURS.get(record.status, "cyan")
            table.add_row(step.key, Text(record.status, colour), _progress(record), self._seconds(step))
        return table

    def _seconds(self, step: WorkflowStep) -> str:
        if step.key not in self._began:
            return ""
        return f"{max(0.0, self._ended.get(step.key, time.monotonic()) - self._began[step.key]):.1f}"


def show_run(client: TaskClient, task: TaskHandle, console: Console, timeout: float | None = None) -> Snapshot:
    """Show a task until it has finished.

    Returns:
        The final state.

    Raises:
        TaskTimeout, BrokerUnavailable: as `follow`.
    """
    view = RunTable()
    with Live(console=console, refresh_per_second=8) as live:
        for snapshot in follow(client, task, timeout):
            live.update(view.render(snapshot))
    return snapshot


def _progress(record: TaskRecord) -> RenderableType:
    if record.failed:
        return Text(reason_of(record), overflow="fold")
    if record.status != "PROGRESS":
        return Text("")
    grid = Table.grid(padding=(0, 1))
    current, total = record.result["current"], record.result["total"]
    grid.add_row(
        ProgressBar(total=total, completed=current, width=_BAR_WIDTH),
        f"{current:,.0f} / {total:,.0f}",
        str(record.result["message"]),
    )
    return grid
