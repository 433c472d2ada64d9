"""An `async def` is a task like any other."""

import asyncio

import pytest
from celery import Celery

from workerkit.coroutines import adapt
from workerkit.errors import InvalidPayload
from workerkit.event_loop import close
from workerkit.task import WorkerTask


@pytest.fixture(autouse=True)
def closed():
    yield
    close()


@pytest.fixture
def app():
    made = Celery(task_cls=WorkerTask, set_as_current=False)
    yield made
    made.close()


def test_it_has_a_contract_and_can_be_called(app):
    @app.task(name="app.tasks.x.double", lazy=False)
    async def double(number: int) -> int:
        await asyncio.sleep(0)
        return 2 * number

    assert double(number="21") == 42
    assert double.is_coroutine
    assert double.contract.result_schema() == {"type": "integer"}
    with pytest.raises(InvalidPayload, match="number"):
        double(number="many")


def test_it_may_be_bound_and_may_have_defaults(app):
    @app.task(name="app.tasks.x.named", bind=True, lazy=False)
    async def named(self, suffix: str = "!") -> str:
        return self.name + suffix

    assert named() == "app.tasks.x.named!"


def test_its_errors_are_retried_as_those_of_any_task(app):
    runs = []

    @app.task(name="app.tasks.x.fails", retry_backoff=0, lazy=False)
    async def fails() -> None:
        runs.append(None)
        raise ZeroDivisionError("bug")

    app.conf.task_always_eager = True
    result = fails.apply()
    assert isinstance(result.result, ZeroDivisionError)
    assert len(runs) == 1 + WorkerTask.max_retries_of_a_bug


def test_a_plain_task_is_left_alone():
    def run() -> None:
        return None

    class Plain:
        pass

    Plain.run = staticmethod(run)
    assert not adapt(Plain)
    assert Plain.run is run
