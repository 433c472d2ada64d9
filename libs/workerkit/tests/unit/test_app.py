"""The application that create_app makes, without a broker."""

from types import ModuleType

import pytest
from celery import Celery

from workerkit.app import OutrankedBroker, create_app
from workerkit.celery_settings import UnknownSetting
from workerkit.contract import IncompleteContract
from workerkit.settings import WorkerSettings
from workerkit.task import WorkerTask


def make(**settings) -> Celery:
    module = ModuleType("celeryconfig")
    vars(module).update({"task_routes": {"app.tasks.shop.*": "shop"}} | settings)
    return create_app("shop", WorkerSettings(), module, tasks_package="no.such.package")


def test_the_service_outranks_the_defaults_and_the_environment_both(monkeypatch):
    assert make().conf.task_time_limit == 300
    assert make(task_time_limit=20).conf.task_time_limit == 20
    monkeypatch.setenv("CELERYCONFIG_TASK_TIME_LIMIT", "10")
    assert make(task_time_limit=20).conf.task_time_limit == 10


def test_a_misspelt_setting_stops_the_start():
    with pytest.raises(UnknownSetting, match="task_time_limit"):
        make(task_timelimit=20)


def test_a_broker_that_would_outrank_the_settings_stops_the_start(monkeypatch):
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://elsewhere")
    with pytest.raises(OutrankedBroker, match="TASK_BROKER_URL"):
        make()


@pytest.mark.parametrize(
    ("task", "queue"),
    [("app.tasks.shop.sell", "shop"), ("app.tasks.email.send_email", "email"), ("celery.chord", "shop")],
)
def test_the_queue_follows_from_the_name(task, queue):
    assert make().amqp.router.route({}, task)["queue"].name == queue


def test_it_consumes_the_queues_of_its_routes():
    app = make(task_routes={"app.tasks.stats.*": "stats", "app.tasks.backtest.*": {"queue": "backtest"}})
    assert list(app.amqp.queues) == ["stats", "backtest"]


def test_redis_keys_are_the_services_own():
    assert make().conf.broker_transport_options["service"] == "shop"


def test_tasks_have_contracts_and_untyped_ones_are_refused():
    app = make()

    @app.task(name="app.tasks.shop.sell")
    def sell(count: int) -> int:
        return count

    assert isinstance(sell, WorkerTask)
    assert sell.contract is not None

    @app.task(name="app.tasks.shop.give")
    def give(count) -> int:
        return count

    with pytest.raises(IncompleteContract, match=r"app\.tasks\.shop\.give.*'count' has no type"):
        app.finalize()
