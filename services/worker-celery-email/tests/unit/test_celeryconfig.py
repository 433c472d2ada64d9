"""The pool follows from the broker."""

import runpy
from pathlib import Path

import pytest

CONFIG = Path(__file__).parents[2] / "celeryconfig.py"


@pytest.mark.parametrize(
    ("broker", "pool"),
    [
        ("redis://redis:6379/0", "workerkit.async_tasks.pool:AsyncPool"),
        ("amqp://worker@rabbitmq:5672//", "workerkit.prefork.pool:TaskPool"),
        ("amqps://worker@rabbitmq:5671//", "workerkit.prefork.pool:TaskPool"),
    ],
)
def test_rabbitmq_has_a_pool_that_knows_it(monkeypatch, broker, pool):
    monkeypatch.setenv("TASK_BROKER_URL", broker)
    assert runpy.run_path(str(CONFIG))["worker_pool"] == pool
