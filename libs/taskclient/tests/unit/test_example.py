"""Examples of payloads, each looked at by the contract that it is made from."""

import json
import re

import pytest

from taskclient.contract_check import ContractCheck
from taskclient.example import example_of

NODE = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}, "value": {"type": "integer"}},
    "required": ["value", "next"],
}


def example(field, **defined):
    schema = {"type": "object", "properties": {"name": field}, "required": ["name"], "$defs": defined}
    found = example_of(schema)
    ContractCheck("app.tasks.demo.x", schema).check(json.dumps(found).encode())
    return found["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "string"}, "name"),
        ({"type": "string", "minLength": 6}, "namexx"),
        ({"type": "string", "maxLength": 2}, "na"),
        ({"type": "string", "examples": ["Ada"], "default": "x"}, "Ada"),
        ({"type": "string", "default": "x"}, "x"),
        ({"const": 7}, 7),
        ({"enum": ["b", "a"]}, "b"),
        ({"type": "string", "format": "email"}, "ada@example.com"),
        ({"type": "string", "format": "date"}, "2030-01-31"),
        ({"type": "integer"}, 1),
        ({"type": "integer", "minimum": 3, "maximum": 9}, 3),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -5}, -5),
        ({"type": "number", "exclusiveMaximum": 0}, -1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["string", "null"]}, "name"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, 5),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, [1, "name"]),
        ({"type": "object"}, {}),
        ({}, "name"),
    ],
)
def test_it_fits(field, value):
    assert example(field) == value


@pytest.mark.parametrize("pattern", ["^[0-9a-f]{64}$", "^[a-z][a-z0-9_-]*$", r"^\d{4}-\d\d-\d\d$", "^[A-Z]+$"])
def test_a_text_with_a_pattern_is_guessed(pattern):
    assert re.search(pattern, example({"type": "string", "pattern": pattern}))


def test_a_schema_that_refers_to_itself_ends():
    assert example({"$ref": "#/$defs/Node"}, Node=NODE) == {"value": 1, "next": None}


@pytest.mark.parametrize("field", [{"$ref": "#/$defs/Gone"}, {"$ref": "#/$defs/Self"}])
def test_a_reference_that_leads_nowhere(field):
    schema = {"properties": {"name": field}, "required": ["name"], "$defs": {"Self": {"$ref": "#/$defs/Self"}}}
    assert example_of(schema) == {"name": "name"}


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "properties": {"a": {}}}])
def test_nothing_is_required(schema):
    assert example_of(schema) == {}
