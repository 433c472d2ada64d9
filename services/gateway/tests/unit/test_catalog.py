"""The catalog is read seldom, and outlives an outage of Redis."""

import pytest

from app.catalog import FRESH_SECONDS, Catalog
from taskclient.catalog import CatalogEntry
from taskclient.errors import BrokerUnavailable, UnknownTask


def entry(name):
    return CatalogEntry(name=name, queue="shop", service="shop", description="", parameters={}, result={})


class Shelf:
    """A catalog in memory that can be away, and a clock."""

    def __init__(self, *names):
        self.entries, self.reads, self.away, self.time = [entry(name) for name in names], 0, False, 0.0

    def read(self):
        self.reads += 1
        if self.away:
            raise BrokerUnavailable("away")
        return self.entries

    def now(self):
        return self.time


def test_it_is_read_again_after_a_while():
    shelf = Shelf("app.tasks.shop.a")
    catalog = Catalog(shelf.read, shelf.now)
    assert (catalog.entries(), catalog.entries(), shelf.reads) == (shelf.entries, shelf.entries, 1)
    shelf.entries = [entry("app.tasks.shop.b")]
    shelf.time = FRESH_SECONDS
    assert catalog.find("app.tasks.shop.b").queue == "shop"
    assert shelf.reads == 2


def test_the_last_one_counts_while_redis_is_away():
    shelf = Shelf("app.tasks.shop.a")
    catalog = Catalog(shelf.read, shelf.now)
    catalog.entries()
    shelf.away, shelf.time = True, FRESH_SECONDS
    assert catalog.find("app.tasks.shop.a")


def test_without_any_an_outage_is_an_error():
    shelf = Shelf()
    shelf.away = True
    with pytest.raises(BrokerUnavailable):
        Catalog(shelf.read, shelf.now).entries()


def test_an_unknown_task_is_refused_also_by_an_empty_catalog():
    with pytest.raises(UnknownTask, match="did you mean"):
        Catalog(Shelf("app.tasks.shop.a").read).find("app.tasks.shop.aa")
    with pytest.raises(UnknownTask):
        Catalog(Shelf().read).find("app.tasks.shop.a")
