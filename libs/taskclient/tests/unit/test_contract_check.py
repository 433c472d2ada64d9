"""A payload is checked against a contract: every wrong field is named, none is refused for a form that workers read."""

import json

import pytest

from taskclient.contract_check import ContractCheck, UnusableSchema, schema_version
from taskclient.errors import PayloadRefused

NAME = "app.tasks.demo.place"
SCHEMA = {
    "$defs": {
        "Order": {
            "type": "object",
            "properties": {"number": {"type": "integer", "minimum": 0}, "tags": {"type": "array", "maxItems": 2}},
            "required": ["number"],
        }
    },
    "type": "object",
    "properties": {
        "order": {"$ref": "#/$defs/Order"},
        "note": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        "either": {"anyOf": [{"type": "integer", "minimum": 5}, {"type": "number", "maximum": -5}]},
        "colour": {"enum": ["red", "green"]},
        "to": {"type": "string", "format": "email"},
    },
    "required": ["order"],
    "additionalProperties": False,
}


def problems(payload):
    return {wrong["field"]: wrong["problem"] for wrong in ContractCheck(NAME, SCHEMA).problems(payload)}


def test_every_wrong_field_is_named_by_its_path():
    found = problems({"order": {"number": -1, "tags": [1, 2, 3]}, "note": "long", "colour": "blue", "size": 1})
    assert found.keys() == {"order.number", "order.tags", "note", "colour", "size"}
    assert found["size"] == "is not a parameter of this task"
    assert "3 characters" in found["note"]
    assert problems({"order": {}}) == {"order.number": "is missing"}
    assert problems({}) == {"order": "is missing"}
    assert problems({"order": {"number": 1}, "to": "nobody"}) == {"to": "is no email"}


def test_a_value_that_fits_none_of_two_forms_is_told_both():
    said = problems({"order": {"number": 1}, "either": 0})["either"]
    assert said == "is less than the minimum of 5 or is greater than the maximum of -5"


def test_no_value_is_repeated():
    said = str(problems({"order": {"number": -77123}, "note": "s3cret", "colour": "s3cret", "to": "s3cret"}))
    assert "s3cret" not in said
    assert "77123" not in said


@pytest.mark.parametrize("payload", [{"order": {"number": 1}}, {"order": {"number": 1, "other": 2}, "note": None}])
def test_what_fits_passes(payload):
    check = ContractCheck(NAME, SCHEMA)
    assert check.accepts(payload)
    assert check.problems(payload) == []
    check.check(json.dumps(payload).encode())


def test_the_error_names_the_task_and_all_fields():
    with pytest.raises(PayloadRefused, match=rf"{NAME}: order: is missing") as refused:
        ContractCheck(NAME, SCHEMA).check(b"{}")
    assert refused.value.errors == [{"field": "order", "problem": "is missing"}]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("date-time", ["2025-01-02T03:04:05Z", "2025-01-02T03:04:05", "2025-01-02 03:04:05+01:00"], "tomorrow"),
        ("date", ["2025-01-02"], "2025-13-02"),
        ("uuid", ["00000000-0000-0000-0000-000000000001", "00000000000000000000000000000001"], "1"),
        ("uri", ["https://example.com/a b"], "no address"),
        ("email", ["ada@example.com", "ada@localhost"], "nobody"),
        ("duration", ["P1D", "01:00:00"], "long"),
    ],
)
def test_formats_are_those_that_workers_read(kind, good, bad):
    check = ContractCheck(NAME, {"properties": {"x": {"type": "string", "format": kind}}})
    assert [check.problems({"x": value}) for value in good] == [[]] * len(good)
    assert check.problems({"x": bad})


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "#/$defs/none"}, {"$ref": "http://127.0.0.1:1/x"}])
def test_a_schema_that_cannot_be_used(schema):
    with pytest.raises(UnusableSchema, match="draft 2020-12"):
        ContractCheck(NAME, schema)


def test_the_version_follows_from_what_is_said_not_from_its_order():
    assert schema_version({"a": 1, "b": 2}) == schema_version({"b": 2, "a": 1}) != schema_version({"a": 1})
