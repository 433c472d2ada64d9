"""Whether a new schema accepts all that the old one did: each kind of change, and random ones against the validator."""

from random import Random

import pytest

from devstack.schemas import Schemas
from taskclient.compatibility import Break, breaks
from taskclient.contract_check import compiled

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}


def closed(required=(), **properties):
    return {
        "type": "object",
        "properties": properties,
        "required": [*required],
        "additionalProperties": False,
    }


def field(old, new):
    """The reasons for a field `x` that changes from `old` to `new`."""
    found = breaks(closed(x=old), closed(x=new))
    assert {one.field.partition("[")[0].partition(".")[0] for one in found} <= {"x"}
    return [one.reason for one in found]


def listed(items, **more):
    return {"type": "array", "items": items, **more}


def tagged(tag, **properties):
    return closed(["kind"], kind={"const": tag}, **properties)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TEXT, TEXT),
        (TEXT, {}),
        (TEXT, {"type": ["string", "null"]}),
        (TEXT, {"anyOf": [TEXT, {"type": "null"}]}),
        (INTEGER, {"type": "number"}),
        (TEXT, {**TEXT, "title": "Name", "description": "Whose.", "default": "x"}),
        ({**INTEGER, "minimum": 3}, {**INTEGER, "minimum": 2}),
        ({**INTEGER, "minimum": 3}, {**INTEGER, "exclusiveMinimum": 2}),
        ({"type": "number", "exclusiveMaximum": 3}, {"type": "number", "maximum": 3}),
        ({**INTEGER, "multipleOf": 6}, {**INTEGER, "multipleOf": 3}),
        ({**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 4}),
        ({**TEXT, "pattern": "^a"}, TEXT),
        ({**TEXT, "pattern": "^a", "minLength": 2}, {**TEXT, "pattern": "^a"}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "c", "a"]}),
        ({"enum": ["a", "b"]}, {**TEXT, "maxLength": 1}),
        ({"const": 1}, INTEGER),
        ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [INTEGER, {"type": "null"}, TEXT]}),
        ({"anyOf": [{**TEXT, "maxLength": 2}, {**TEXT, "pattern": "^a"}]}, TEXT),
        ({"type": ["string", "integer"]}, {"anyOf": [TEXT, INTEGER]}),
        ({"oneOf": [tagged("a"), tagged("b")]}, {"oneOf": [tagged("b"), tagged("c"), tagged("a")]}),
        ({"oneOf": [tagged("a"), tagged("b")]}, {"oneOf": [tagged("a", y=TEXT), tagged("b")]}),
        (listed(INTEGER), listed({"type": "number"})),
        (listed(INTEGER, maxItems=2), listed(INTEGER, maxItems=3)),
        ({"type": "array", "prefixItems": [TEXT], "maxItems": 1}, listed(TEXT)),
        (closed(["a"], a=TEXT), closed(a=TEXT, b=TEXT)),
        (closed(["a"], a=TEXT), {"type": "object"}),
        ({"type": "object", "additionalProperties": INTEGER}, {"type": "object", "additionalProperties": {}}),
        ({"not": TEXT, "type": "object"}, {"not": TEXT}),
        (False, TEXT),
    ],
)
def test_what_accepts_as_much(old, new):
    assert field(old, new) == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ({"type": "number"}, INTEGER, "number is not accepted"),
        ({"type": ["string", "null"]}, TEXT, "null is not accepted"),
        ({"anyOf": [TEXT, {"type": "null"}]}, TEXT, "null is not accepted"),
        ({"anyOf": [TEXT, INTEGER]}, {"anyOf": [TEXT, {"type": "null"}]}, "integer is not accepted"),
        ({}, TEXT, "number is not accepted"),
        (INTEGER, {**INTEGER, "minimum": 2}, "minimum is 2"),
        ({**INTEGER, "minimum": 2}, {**INTEGER, "minimum": 3}, "minimum is 3"),
        ({"type": "number", "minimum": 2}, {"type": "number", "exclusiveMinimum": 2}, "exclusiveMinimum is 2"),
        ({**INTEGER, "multipleOf": 3}, {**INTEGER, "multipleOf": 6}, "multipleOf is 6"),
        ({**TEXT, "maxLength": 3}, {**TEXT, "maxLength": 2}, "maxLength is 2"),
        (TEXT, {**TEXT, "minLength": 1}, "minLength is 1"),
        (TEXT, {**TEXT, "pattern": "^a"}, 'pattern is "^a"'),
        (TEXT, {**TEXT, "format": "date"}, 'format is "date"'),
        (TEXT, {"enum": ["a"]}, 'only ["a"] is accepted'),
        ({"enum": ["a", "b"]}, {"enum": ["a", "c"]}, '"b" is not accepted'),
        ({"const": 1}, {"const": 2}, "1 is not accepted"),
        (listed(TEXT), listed(TEXT, uniqueItems=True), "no two items may be the same"),
        (listed(TEXT, maxItems=3), listed(TEXT, maxItems=2), "maxItems is 2"),
        (listed({"type": "number"}), listed(INTEGER), "number is not accepted"),
        (closed(a=TEXT), closed(["a"], a=TEXT), "must be given"),
        (closed(a=TEXT), closed(), "is not accepted any more"),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, "fields beside those that are named"),
        ({"type": "object", "additionalProperties": {}}, {"type": "object", "additionalProperties": TEXT}, "number is"),
        ({"oneOf": [tagged("a"), tagged("b")]}, {"oneOf": [tagged("a")]}, '"b" is not accepted'),
    ],
)
def test_what_accepts_less(old, new, reason):
    assert [found for found in field(old, new) if found.startswith(reason)]
    assert all(one.decided for one in breaks(closed(x=old), closed(x=new)) if one.reason.startswith(reason))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({**TEXT, "pattern": "^a"}, {**TEXT, "pattern": "^[ab]"}),
        ({**TEXT, "format": "date"}, {**TEXT, "format": "date-time"}),
        ({"not": TEXT}, {"not": {**TEXT, "maxLength": 2}}),
        ({"type": "object"}, {"type": "object", "properties": {"new": TEXT}}),
        (INTEGER, {"oneOf": [INTEGER, {"type": "number"}]}),
        (TEXT, {"$ref": "https://example.com/schema"}),
        (TEXT, {"type": "string", "$id": "https://example.com/schema"}),
        ({"type": "array"}, {"type": "array", "contains": TEXT}),
        (TEXT, {"type": "nonsense"}),
        (
            {"type": "number", "minimum": 5},
            {"anyOf": [{"type": "number", "maximum": 6}, {"type": "number", "minimum": 6}]},
        ),
    ],
)
def test_what_cannot_be_decided_counts_as_breaking(old, new):
    found = breaks(closed(x=old), closed(x=new))
    assert found
    assert not any(one.decided for one in found)
    assert "breaking unless shown otherwise" in str(found[0])


def document(definition, **defs):
    return {**closed(["tree"], tree={"$ref": "#/$defs/Tree"}), "$defs": {"Tree": definition, **defs}}


def tree(value, **properties):
    return {
        "type": "object",
        "properties": {"value": value, "left": {"$ref": "#/$defs/Tree"}, **properties},
        "additionalProperties": False,
    }


def test_definitions_are_followed_even_those_that_hold_themselves():
    assert breaks(document(tree(INTEGER)), document(tree({"type": "number"}, right={"$ref": "#/$defs/Tree"}))) == []
    assert breaks(document(tree(TEXT)), document(tree(INTEGER))) == [Break("tree.value", "string is not accepted")]
    node = tree({"$ref": "#/$defs/Value"}, left={"$ref": "#/$defs/Node"})
    renamed = {**closed(["tree"], tree={"$ref": "#/$defs/Node"}), "$defs": {"Node": node, "Value": TEXT}}
    assert breaks(document(tree(TEXT)), renamed) == []


def test_a_definition_that_is_nothing_but_itself_is_not_taken_for_fine():
    circle = {**closed(x={"$ref": "#/$defs/A"}), "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]}}}
    assert breaks(closed(x=TEXT), circle)


def test_where_a_reason_is():
    old = closed(orders=listed(closed(number=INTEGER)), pair={"type": "array", "prefixItems": [TEXT, TEXT]})
    new = closed(
        orders=listed(closed(number={**INTEGER, "minimum": 0})),
        pair={"type": "array", "prefixItems": [TEXT, {**TEXT, "maxLength": 5}]},
    )
    assert [str(one) for one in breaks(old, new)] == ["orders[].number: minimum is 0", "pair[1]: maxLength is 5"]


@pytest.mark.parametrize("start", range(0, 2000, 500))
def test_no_value_that_breaks_is_ever_overlooked(start):
    compatible = witnessed = 0
    for seed in range(start, start + 500):
        schemas = Schemas(Random(seed))  # noqa: S311  - repeatable is what it must be
        old = schemas.document()
        new = schemas.changed(old)
        accepts_old, accepts_new = compiled(old), compiled(new)
        found = breaks(old, new)
        values = [schemas.value(shape, shape) for shape in (old, new) for _ in range(15)]
        broken = [value for value in values if accepts_old.is_valid(value) and not accepts_new.is_valid(value)]
        assert found or not broken, f"seed {seed}: {broken[0]!r} was accepted, is not, and nothing was found"
        compatible += not found
        witnessed += bool(broken)
    assert min(compatible, witnessed) > 50  # or the random schemas show nothing
