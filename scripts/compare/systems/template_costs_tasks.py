"""This template's worker with one of its parts left out, or one of its features in use; BENCH_COST names it.

Only what no setting can switch: the rest of `compare.costs` are environment variables that any worker has.
"""

import os
from typing import Any, cast

from celery import Task, signals

from compare.systems.bodies import PLAIN
from compare.systems.template import new_app
from workerkit.health_file import Health
from workerkit.task import WorkerTask


class Unchecked(WorkerTask):
    """Runs whatever the message says."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As Celery's own task, which neither checks the payload nor the result, nor looks for an idempotency key."""
        return cast("Any", Task).__call__(self, *args, **kwargs)


_OPTIONS: dict[str, dict[str, Any]] = {
    "contract": {"base": Unchecked},
    "results": {"ignore_result": False},
    "key": {"idempotent": True},
    "wait": {"max_queue_wait": 3600.0},
    "rate": {"global_rate_limit": "1000000/s"},
}
_cost = os.environ.get("BENCH_COST", "")
if _cost == "health":
    Health.start = Health.tick  # type: ignore[method-assign]  # which writes nothing
app = new_app(PLAIN, **_OPTIONS.get(_cost, {}))
if _cost == "context":
    signals.task_prerun.disconnect(dispatch_uid="workerkit.bind")
