"""`can_deploy` finds messages where real workers have put them: in flight, delayed, parked, and still waiting."""

from collections.abc import Callable

import pytest

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.catalog import CatalogEntry
from taskclient.client import TaskClient
from taskclient.deployment import REFUSED, UNKNOWN
from taskclient.pending import DELAYED, IN_FLIGHT, PARKED, WAITING

SLEEP, NEW = "app.tasks.delivery.sleep", "app.tasks.delivery.new"


def without_seconds(entry: CatalogEntry) -> CatalogEntry:
    """The contract of a version that has taken a parameter away."""
    properties = {name: schema for name, schema in entry.parameters["properties"].items() if name != "seconds"}
    return entry.model_copy(update={"parameters": {**entry.parameters, "properties": properties}})


@pytest.fixture
def worker(valkey: Valkey, start_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    return start_worker(valkey, "delivery", CELERYCONFIG_WORKER_CONCURRENCY="1")


def test_each_place_in_which_a_worker_leaves_messages(worker: WorkerProcess, client: TaskClient) -> None:
    parked = client.send(NEW, name="new")
    delayed = client.send(SLEEP, name="later", seconds=1, countdown=600)
    plain = client.send(SLEEP, name="plain", countdown=600)
    running = client.send(SLEEP, name="running", seconds=120)
    wait_for(lambda: worker.trace("running") == ["start"])
    waiting = [client.send(SLEEP, name=f"waiting-{number}", seconds=1) for number in range(5)]
    contracts = client.catalog()

    found = client.can_deploy("delivery", contracts)
    assert {(one.id, one.place, one.reason) for one in found.found} == {(parked.id, PARKED, UNKNOWN)}
    assert found.checked.total() == 9

    found = client.can_deploy("delivery", [without_seconds(one) if one.name == SLEEP else one for one in contracts])
    places = {one.id: one.place for one in found.found if one.reason == REFUSED}
    assert (places[delayed.id], places[running.id]) == (DELAYED, IN_FLIGHT)
    assert {places[one.id] for one in waiting} <= {WAITING, IN_FLIGHT}  # a worker holds a few ahead
    assert WAITING in places.values()
    assert plain.id not in places
    assert all(one.fits_now for one in found.found if one.reason == REFUSED)
