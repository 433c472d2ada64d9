"""The catalog on a real server: each service replaces its own entries and no others."""

import json
import threading
import time

import pytest
import redis

from taskclient.catalog import (
    CATALOG_KEY,
    UNTIL_KEY,
    CatalogEntry,
    forget,
    publish_catalog,
    read_catalog,
    refresh,
)
from taskclient.client import TaskClient
from taskclient.contract_check import schema_version
from taskclient.contract_file import dump_contract
from taskclient.errors import BatchRefused, PayloadRefused, UnknownTask
from taskclient.message import PUBLISHED_HEADER, SCHEMA_HEADER


@pytest.fixture(autouse=True)
def _empty(broker):
    broker.delete(CATALOG_KEY, UNTIL_KEY)
    yield
    broker.delete(CATALOG_KEY, UNTIL_KEY)


def entry(name: str, service: str) -> CatalogEntry:
    schema = {"type": "object", "properties": {}}
    return CatalogEntry(name=name, queue="q", service=service, description="d", parameters=schema, result={})


def test_sorted_by_name(broker, client):
    publish_catalog(broker, "two", [entry("app.tasks.z.z", "two"), entry("app.tasks.b.b", "two")])
    publish_catalog(broker, "one", [entry("app.tasks.a.a", "one")])

    assert [one.name for one in read_catalog(broker)] == ["app.tasks.a.a", "app.tasks.b.b", "app.tasks.z.z"]
    assert client.catalog() == read_catalog(broker)


def test_a_service_replaces_its_own_entries_only(broker):
    publish_catalog(broker, "one", [entry("app.tasks.a.old", "one"), entry("app.tasks.a.kept", "one")])
    publish_catalog(broker, "two", [entry("app.tasks.b.b", "two")])

    publish_catalog(broker, "one", [entry("app.tasks.a.kept", "one"), entry("app.tasks.a.new", "one")])
    assert [one.name for one in read_catalog(broker)] == ["app.tasks.a.kept", "app.tasks.a.new", "app.tasks.b.b"]

    publish_catalog(broker, "one", [])
    assert [one.name for one in read_catalog(broker)] == ["app.tasks.b.b"]


def test_another_services_entry_is_refused(broker):
    with pytest.raises(ValueError, match="belongs to 'two'"):
        publish_catalog(broker, "one", [entry("app.tasks.a.a", "two")])


def test_workers_that_boot_at_once(valkey, broker):
    def boot(service: str) -> None:
        with redis.Redis.from_url(valkey.url) as own:
            for round_ in range(20):
                publish_catalog(own, service, [entry(f"app.tasks.{service}.t{round_}", service)])

    threads = [threading.Thread(target=boot, args=(f"s{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.name for one in read_catalog(broker)] == [f"app.tasks.s{number}.t19" for number in range(4)]


def test_an_unreadable_entry_hides_no_other(broker, caplog):
    publish_catalog(broker, "one", [entry("app.tasks.a.a", "one")])
    broker.hset(CATALOG_KEY, "app.tasks.b.broken", "{")

    assert [one.name for one in read_catalog(broker)] == ["app.tasks.a.a"]
    assert "app.tasks.b.broken" in caplog.text
    publish_catalog(broker, "one", [])
    assert broker.hkeys(CATALOG_KEY) == [b"app.tasks.b.broken"]


def test_a_service_without_workers_leaves_when_its_time_is_over(broker):
    publish_catalog(broker, "gone", [entry("app.tasks.a.a", "gone")], days=30)
    publish_catalog(broker, "old", [entry("app.tasks.b.b", "old")])  # for ever
    assert len(read_catalog(broker)) == 2
    broker.hset(UNTIL_KEY, "gone", f"{time.time() - 1:.0f}")  # as 30 days later

    assert [one.name for one in read_catalog(broker)] == ["app.tasks.b.b"]
    assert broker.hexists(CATALOG_KEY, "app.tasks.a.a")
    publish_catalog(broker, "old", [entry("app.tasks.b.b", "old")])
    assert broker.hkeys(CATALOG_KEY) == [b"app.tasks.b.b"]
    assert broker.hkeys(UNTIL_KEY) == [b"old"]


def test_a_refresh_counts_anew_and_says_when_the_service_is_forgotten(broker):
    publish_catalog(broker, "one", [entry("app.tasks.a.a", "one")], days=1)
    broker.hset(UNTIL_KEY, "one", "1")
    assert read_catalog(broker) == []
    assert refresh(broker, "one", days=1)
    assert [one.name for one in read_catalog(broker)] == ["app.tasks.a.a"]
    assert 86_000 < float(broker.hget(UNTIL_KEY, "one")) - time.time() < 86_800

    assert forget(broker, "one") == ["app.tasks.a.a"]
    assert not broker.exists(CATALOG_KEY, UNTIL_KEY)
    assert not refresh(broker, "one", days=1)


def test_a_task_that_moved_to_another_service_is_not_taken_away(broker):
    publish_catalog(broker, "old", [entry("app.tasks.a.a", "old")], days=1)
    broker.hset(UNTIL_KEY, "old", "1")
    publish_catalog(broker, "new", [entry("app.tasks.a.a", "new")], days=1)
    assert [one.service for one in read_catalog(broker)] == ["new"]


def test_the_client_refuses_what_no_worker_takes_and_says_what_it_checked(broker, client):
    parameters = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}
    known = entry("app.tasks.checked.add", "one").model_copy(update={"parameters": parameters, "queue": "elsewhere"})
    publish_catalog(broker, "one", [known])

    with pytest.raises(UnknownTask, match=r"did you mean app\.tasks\.checked\.add"):
        client.send("app.tasks.checked.ad", a=1)
    with pytest.raises(PayloadRefused) as refused:
        client.send("app.tasks.checked.add", a="x", b=1)
    assert {wrong["field"] for wrong in refused.value.errors} == {"a", "b"}
    with pytest.raises(BatchRefused) as batch:
        client.send_many("app.tasks.checked.add", [{"a": 1}, {"a": "x"}, {"b": 1}])
    wrong = {number: {one["field"] for one in errors} for number, errors in batch.value.errors.items()}
    assert wrong == {1: {"a"}, 2: {"b"}}
    assert not broker.exists("checked", "elsewhere")

    client.send("app.tasks.checked.add", a=1)
    headers = json.loads(broker.lpop("elsewhere"))["headers"]
    assert headers[SCHEMA_HEADER] == schema_version(parameters)
    assert abs(time.time() - headers[PUBLISHED_HEADER]) < 60


def test_files_stand_in_for_the_catalog(broker, valkey, tmp_path, monkeypatch):
    (tmp_path / "contract.json").write_text(dump_contract("one", [entry("app.tasks.filed.add", "one")]))
    monkeypatch.setenv("TASK_CONTRACTS", str(tmp_path))
    with TaskClient(valkey.url) as client:
        client.send("app.tasks.filed.add")
        with pytest.raises(UnknownTask):
            client.send("app.tasks.filed.sub")
    assert broker.llen("q") == 1
    broker.delete("q")


def test_forget_is_refused_while_there_are_workers(broker, client):
    publish_catalog(broker, "one", [entry("app.tasks.a.a", "one")])
    broker.zadd("worker:one:holders", {"host:1:x": (time.time() + 60) * 1000})
    with pytest.raises(ValueError, match="1 workers, as on host: stop them first"):
        client.forget("one")
    broker.delete("worker:one:holders")
    assert client.forget("one") == ["app.tasks.a.a"]
    assert read_catalog(broker) == []
