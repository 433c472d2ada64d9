"""The catalog on a real server: each service replaces its own entries and no others."""

import threading

import pytest
import redis

from taskclient.catalog import CATALOG_KEY, CatalogEntry, publish_catalog, read_catalog


@pytest.fixture(autouse=True)
def _empty(broker):
    broker.delete(CATALOG_KEY)
    yield
    broker.delete(CATALOG_KEY)


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
