"""What a scenario is, and the list of all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chaos.subjects import Side

# What the documentation of Celery recommends where no task may be lost; several scenarios show what that costs.
LATE_ACK: dict[str, Any] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
}


def visibility(seconds: int) -> dict[str, Any]:
    """Plain Celery's visibility timeout, and a look for overdue messages each second; the default is one hour."""
    return {
        "broker_transport_options": {
            "visibility_timeout": seconds,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
        }
    }


@dataclass(frozen=True)
class Scenario:
    """One fault, run on both sides at the same time.

    Args:
        name: for `--only`.
        title: what is done, for the table.
        run: does it to one side.
        seconds: the bound of one side's run.
        plain: settings of plain Celery in this scenario; none means stock.
        plain_words: what these settings are, for the table.
        lease: the template's `TASK_LEASE_SECONDS` in this scenario.
        may_exit: the fault itself ends the main process of the worker.
    """

    name: str
    title: str
    run: "Callable[[Side], None]"
    seconds: float
    plain: Mapping[str, Any] = field(default_factory=dict)
    plain_words: str = "stock settings"
    lease: int | None = None
    may_exit: bool = False


SCENARIOS: list[Scenario] = []


def scenario(name: str, title: str, **options: Any) -> "Callable[[Callable[[Side], None]], Callable[[Side], None]]":
    """Put a function that does a fault to one side on the list; arguments as those of `Scenario`."""

    def register(run: "Callable[[Side], None]") -> "Callable[[Side], None]":
        SCENARIOS.append(Scenario(name, title, run, **options))
        return run

    return register
