"""What a worker tells the catalog, on a real server: its contracts, and that it is still there."""

from types import ModuleType

import pytest
from pydantic import SecretStr

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from taskclient.catalog import Limits, RetryPolicy, forget, read_catalog
from workerkit.app import create_app
from workerkit.settings import WorkerSettings


@pytest.fixture
def app(own_valkey: Valkey):
    celeryconfig = ModuleType("celeryconfig")
    settings = WorkerSettings(
        task_broker_url=SecretStr(own_valkey.url), version="1.2.3", service_owner="shop team", task_catalog_days=2
    )
    app = create_app("shop", settings, celeryconfig, tasks_package="no.such.package")

    options = {"soft_time_limit": 5, "max_retries": 2, "idempotent": True, "max_queue_wait": 60}

    @app.task(name="app.tasks.shop.sell", shared=False, **options)
    def sell(number: int) -> int:
        """Sell.

        And more.
        """
        return number

    return app


def test_a_contract_says_what_a_caller_and_an_operator_need(app):
    (entry,) = app.catalog.entries()
    assert (entry.name, entry.queue, entry.service) == ("app.tasks.shop.sell", "shop", "shop")
    assert entry.description == "Sell.\n\nAnd more."
    assert entry.parameters["required"] == ["number"]
    assert entry.result == {"type": "integer"}
    assert entry.limits == Limits(soft=5, hard=300)
    assert entry.retry == RetryPolicy(
        max_retries=2, max_retries_of_a_bug=2, first_seconds=1, longest_seconds=300, jitter=True
    )
    assert (entry.idempotent, entry.idempotency_seconds, entry.max_queue_wait) == (True, 86_400, 60)
    assert (entry.version, entry.owner) == ("1.2.3", "shop team")


def test_a_worker_brings_back_what_was_forgotten(app, own_valkey):
    with own_valkey.client() as broker:
        app.catalog.publish()
        assert read_catalog(broker) == app.catalog.entries()
        forget(broker, "shop")
        app.catalog.look()  # as the event loop does each minute
        wait_for(lambda: read_catalog(broker) == app.catalog.entries())


def test_a_refresh_that_fails_stops_nothing(app, own_valkey, capfd):
    own_valkey.stop()
    app.catalog.refresh()
    assert "the catalog is not refreshed" in "".join(capfd.readouterr())
