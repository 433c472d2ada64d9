"""Plain Celery: stock settings, or with BENCH_TUNED those that are known to be safer and faster.

Its task with the database makes an engine each time; with BENCH_ENGINE each process keeps one.
"""

import os
from typing import Any

from celery import Celery

from compare.systems.bodies import PLAIN, URL, VARIANT

TUNED = {"task_acks_late": True, "task_reject_on_worker_lost": True, "worker_prefetch_multiplier": 4}
SOON = {"visibility_timeout": 3, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
app: "Celery[Any]" = Celery("plain", broker=URL)
app.conf.update(result_backend=URL if VARIANT == "results" else None, **(TUNED if "BENCH_TUNED" in os.environ else {}))
if VARIANT == "kill":
    app.conf.broker_transport_options = SOON
if VARIANT == "database":
    from compare.systems.database import visit_with_kept_engine, visit_with_new_engine

    PLAIN["visit"] = visit_with_kept_engine if "BENCH_ENGINE" in os.environ else visit_with_new_engine
_tasks = {_body: app.task(name=f"app.tasks.bench.{_body}")(_function) for _body, _function in PLAIN.items()}
for _body, _task in _tasks.items():
    _task.ignore_result = _body != "answer"


def send(body: str, payload: dict[str, Any]) -> None:
    """By `delay`."""
    _tasks[body].delay(**payload)


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """One by one, with one producer for all: a `group` is no faster."""
    with app.producer_or_acquire() as producer:
        for payload in payloads:
            _tasks[body].apply_async(kwargs=payload, producer=producer, task_id=payload.get("mark"))
