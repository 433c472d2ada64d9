"""The module that `tasks stubs` writes: mypy accepts it and a right caller, and names what a wrong one does."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

import taskclient
from devstack.services import ROOT
from taskclient.catalog import CatalogEntry
from taskclient.contract_file import read_contracts
from taskclient.stubs import stubs

PLACE = {
    "$defs": {
        "Order": {
            "type": "object",
            "properties": {
                "number": {"type": "integer"},
                "parent": {"$ref": "#/$defs/Order"},
                "date": {"type": "null"},
            },
            "required": ["number"],
        },
        "State": {"enum": ["new", "old"]},
        "Any": {},
        "Deep": {"type": "array", "items": {"$ref": "#/$defs/Deep"}},
    },
    "type": "object",
    "properties": {
        "order": {"$ref": "#/$defs/Order"},
        "state": {"$ref": "#/$defs/State"},
        "day": {"type": "string", "format": "date"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "sizes": {"type": "array", "items": {"type": ["integer", "number"]}},
        "extra": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Any"}},
        "self": {"type": "object", "properties": {"class": {"const": "a"}}},
        "deep": {"$ref": "#/$defs/Deep"},
        "client": {"type": "array", "prefixItems": [{"type": "string"}]},
    },
    "required": ["order"],
}
RECEIPT = {"type": "object", "properties": {"total": {"type": "number"}}, "required": ["total"]}
GOOD = """
from datetime import date

from task_stubs import shop_place, shop_ping
from taskclient.client import TaskClient


def call(client: TaskClient) -> float:
    handle = shop_place(client, order={"number": 1, "parent": {"number": 2}}, state="new", day=date(2025, 1, 2))
    shop_place(client, {"countdown": 3}, order={"number": 1}, note=None, sizes=[1, 2.5], extra={})
    assert shop_ping(client).result(5) is None
    return handle.result(timeout=20)["total"]
"""
BAD = """
from task_stubs import shop_place
from taskclient.client import TaskClient


def call(client: TaskClient) -> str:
    shop_place(client)
    shop_place(client, order={"number": "one"})
    shop_place(client, order={"number": 1}, state="young")
    shop_place(client, order={"number": 1}, colour="red")
    shop_place(client, {"delay": 3}, order={"number": 1})
    return shop_place(client, order={"number": 1}).result()["total"]
"""


def entry(name, parameters, result, description="Do it."):
    return CatalogEntry(
        name=name, queue="shop", service="shop", description=description, parameters=parameters, result=result
    )


ENTRIES = [
    entry("app.tasks.shop.place", PLACE, RECEIPT, 'Say """so""".\n\nMore.'),
    entry("app.tasks.shop.ping", {"type": "object"}, {"type": "null"}, ""),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stubs")
    (folder / "task_stubs.py").write_text(stubs(ENTRIES))
    (folder / "all_stubs.py").write_text(stubs(read_contracts([ROOT / "services"])))
    (folder / "good.py").write_text(GOOD)
    (folder / "bad.py").write_text(BAD)
    return folder


def mypy(folder, *files):
    source = Path(next(iter(taskclient.__path__))).parent
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context", *files]
    environment = os.environ | {"MYPYPATH": os.pathsep.join((str(source), os.environ.get("MYPYPATH", "")))}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def test_the_modules_and_a_right_caller_pass(folder):
    assert mypy(folder, "all_stubs.py", "task_stubs.py", "good.py") == (0, "")


def test_each_mistake_of_a_wrong_caller_is_found(folder):
    code, said = mypy(folder, "bad.py")
    lines = {line.split(":")[1] for line in said.splitlines() if ": error:" in line}
    assert (code, lines) == (1, {"7", "8", "9", "10", "11", "12"}), said


def test_the_module_can_be_imported_and_sends(folder):
    spec = importlib.util.spec_from_file_location("task_stubs", folder / "task_stubs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    class Client:
        def send_payload(self, *arguments, **options):
            return arguments, options

    sent = module.shop_place(Client(), {"countdown": 3}, order={"number": 1}, client=["x"])
    assert sent == (("app.tasks.shop.place", {"order": {"number": 1}, "client": ["x"]}), {"countdown": 3})


def test_two_tasks_of_one_name_are_told():
    schema = {"type": "object"}
    with pytest.raises(ValueError, match=r"app\.tasks\.a_b\.c and app\.tasks\.a\.b_c would both be called a_b_c"):
        stubs([entry("app.tasks.a.b_c", schema, {}), entry("app.tasks.a_b.c", schema, {})])
