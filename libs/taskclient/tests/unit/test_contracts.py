"""What the client knows of tasks: from files, or read seldom; and what it does with a name that is not known."""

import logging

import pytest
import redis

from taskclient.catalog import CatalogEntry
from taskclient.contract_file import UnreadableContract, contract_files, dump_contract, read_contracts
from taskclient.contracts import FRESH_SECONDS, Contracts
from taskclient.errors import UnknownTask


def entry(name: str, **fields) -> CatalogEntry:
    known = {"queue": "demo", "service": "demo", "description": "", "parameters": {"type": "object"}, "result": {}}
    return CatalogEntry(name=name, **{**known, **fields})


class Server:
    """Counts how often it is asked; fails as long as `error` is set."""

    def __init__(self, *entries: CatalogEntry) -> None:
        self.entries, self.asked, self.error, self.now = list(entries), 0, None, 0.0
        self.contracts = Contracts(self.read, lambda: self.now)

    def read(self):
        self.asked += 1
        if self.error:
            raise self.error
        return self.entries


def test_it_is_read_once_and_again_after_a_while():
    server = Server(entry("app.tasks.demo.add"))
    for _ in range(10):
        assert server.contracts.find("app.tasks.demo.add")
    assert server.asked == 1
    server.now += FRESH_SECONDS
    server.contracts.find("app.tasks.demo.add")
    assert server.asked == 2


def test_an_unknown_name_is_looked_for_again_and_the_nearest_are_named():
    server = Server(entry("app.tasks.demo.add"))
    server.contracts.find("app.tasks.demo.add")
    server.now += 2
    server.entries = [entry("app.tasks.demo.add"), entry("app.tasks.demo.new")]
    assert server.contracts.find("app.tasks.demo.new")
    for _ in range(10):
        with pytest.raises(UnknownTask, match=r"did you mean app\.tasks\.demo\.add"):
            server.contracts.find("app.tasks.demo.ad")
    assert server.asked == 2


def test_a_compiled_contract_is_kept_until_it_changes():
    server = Server(entry("app.tasks.demo.add"))
    first = server.contracts.check_of(server.contracts.find("app.tasks.demo.add"))
    server.now += FRESH_SECONDS
    assert server.contracts.check_of(server.contracts.find("app.tasks.demo.add")) is first
    server.entries = [entry("app.tasks.demo.add", parameters={"type": "object", "required": ["a"]})]
    server.now += FRESH_SECONDS
    changed = server.contracts.check_of(server.contracts.find("app.tasks.demo.add"))
    assert (first.accepts({}), changed.accepts({})) == (True, False)


def test_an_empty_catalog_says_nothing_about_a_name():
    assert Server().contracts.find("app.tasks.demo.add") is None


def test_what_is_known_goes_on_to_count_while_redis_is_away(caplog):
    server = Server(entry("app.tasks.demo.add"))
    server.contracts.find("app.tasks.demo.add")
    server.error = redis.ConnectionError("away")
    server.now += FRESH_SECONDS
    assert server.contracts.find("app.tasks.demo.add")
    assert "could not be read" in caplog.text
    with pytest.raises(UnknownTask):
        server.contracts.find("app.tasks.demo.sub")


def test_who_may_not_read_the_catalog_is_told_once(caplog):
    server = Server(entry("app.tasks.demo.add"))
    server.error = redis.exceptions.NoPermissionError("NOPERM")
    for _ in range(3):
        server.now += FRESH_SECONDS
        assert server.contracts.find("app.tasks.demo.sub") is None
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_an_unusable_schema_checks_nothing_and_is_logged(caplog):
    contracts = Server(entry("app.tasks.demo.add", parameters={"type": "nonsense"})).contracts
    assert contracts.check_of(contracts.find("app.tasks.demo.add")) is None
    assert "app.tasks.demo.add are not checked" in caplog.text


def write(folder, service, *entries, owner=""):
    folder.mkdir(parents=True)
    (folder / "contract.json").write_text(dump_contract(service, entries, owner=owner, major=2))


def test_files_say_what_was_written(tmp_path):
    entries = [entry("app.tasks.demo.b", owner="team", major=2, idempotent=True)]
    entries.append(entry("app.tasks.demo.a", owner="team", major=2))
    write(tmp_path / "one", "demo", *entries, owner="team")
    write(tmp_path / "two", "other", entry("app.tasks.other.c", service="other"))
    assert read_contracts([tmp_path]) == [entries[1], entries[0], entry("app.tasks.other.c", service="other", major=2)]
    assert contract_files(tmp_path / "two" / "contract.json") == contract_files(tmp_path / "two")


def test_the_version_of_an_image_is_not_in_the_file():
    assert dump_contract("demo", [entry("app.tasks.demo.a", version="1.2.3")]) == dump_contract(
        "demo", [entry("app.tasks.demo.a", version="dev")]
    )


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"service": "x", "tasks": [{"name": "n"}]}', '{"service": "x", "tasks": 1}']
)
def test_a_wrong_file_is_named(tmp_path, text):
    (tmp_path / "contract.json").write_text(text)
    with pytest.raises(UnreadableContract, match=r"contract\.json"):
        read_contracts([tmp_path])


def test_no_file_and_the_same_task_twice(tmp_path):
    with pytest.raises(UnreadableContract, match="no folder"):
        read_contracts([tmp_path])
    write(tmp_path / "one", "demo", entry("app.tasks.demo.a"))
    write(tmp_path / "two", "other", entry("app.tasks.demo.a"))
    with pytest.raises(UnreadableContract, match=r"another file describes app\.tasks\.demo\.a"):
        read_contracts([tmp_path])
