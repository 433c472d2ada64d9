"""What a joint between two steps is refused for, by the schemas alone."""

import pytest

from taskclient.canvas import canvas, group, step
from taskclient.canvas_check import check_canvas
from taskclient.catalog import CatalogEntry
from taskclient.contracts import Contracts
from taskclient.errors import WorkflowRefused
from taskclient.result_schema import closed, list_of

FLOUR = {
    "$defs": {"Kind": {"enum": ["rye", "oats"]}},
    "type": "object",
    "properties": {"kind": {"$ref": "#/$defs/Kind"}, "weight": {"type": "integer", "minimum": 1}},
    "required": ["kind", "weight"],
}
TAKES_FLOUR = {
    "$defs": {"Flour": {**FLOUR, "$defs": {}}, "Kind": FLOUR["$defs"]["Kind"]},
    "type": "object",
    "properties": {"flour": {"$ref": "#/$defs/Flour"}, "salt": {"type": "integer"}},
    "required": ["flour"],
    "additionalProperties": False,
}
TEXT = {"type": "string"}
TAKES_MORE = {
    **TAKES_FLOUR,
    "properties": {"more": {"type": "array", "items": {"$ref": "#/$defs/Flour"}}},
    "required": [],
}


def takes(schema):
    return {"type": "object", "properties": {"value": schema}, "required": ["value"], "additionalProperties": False}


def refused(results, parameters):
    """What is wrong when a task with these parameters comes after tasks with these results."""
    nothing = {"type": "object", "properties": {}, "additionalProperties": False}
    entries = [entry(f"app.tasks.a.t{number}", nothing, result) for number, result in enumerate(results)]
    contracts = Contracts(lambda: [*entries, entry("app.tasks.b.last", parameters, {})])
    steps = [step(one.name) for one in entries]
    stages = [steps[0] if len(steps) == 1 else group(steps), step("app.tasks.b.last")]
    try:
        check_canvas(canvas(stages, "run"), contracts.known)
    except WorkflowRefused as error:
        return {wrong["field"]: wrong["problem"] for wrong in error.errors}
    return {}


def entry(name, parameters, result):
    return CatalogEntry(name=name, queue="q", service="s", description="", parameters=parameters, result=result)


@pytest.mark.parametrize(
    ("results", "parameters"),
    [
        ([FLOUR], TAKES_FLOUR),
        ([TEXT], takes({"anyOf": [TEXT, {"type": "null"}]})),
        ([{"type": "integer"}], takes({"type": "number"})),
        ([FLOUR, FLOUR], TAKES_MORE),
        ([TEXT, {"type": "null"}], takes({"type": "array", "items": {"type": ["string", "null"]}})),
        ([TEXT, FLOUR], takes({"type": "array", "prefixItems": [TEXT, {"type": "object"}]})),
        ([TEXT, TEXT], takes({"type": "array", "minItems": 2})),
        ([FLOUR], takes({})),
    ],
)  # fmt: skip
def test_what_fits(results, parameters):
    assert refused(results, parameters) == {}


@pytest.mark.parametrize(
    ("results", "parameters", "wrong"),
    [
        ([{"type": "null"}], TAKES_FLOUR, {"flour": "null is not accepted"}),
        (
            [{"type": "object", "properties": {"weight": {"type": "integer"}}}],
            TAKES_FLOUR,
            {"flour.kind": "must be given", "flour.weight": "must be given"},
        ),
        ([TEXT, TEXT], takes({"type": "array", "maxItems": 1}), {"value": "maxItems is 1"}),
        ([TEXT, FLOUR], takes({"type": "array", "items": TEXT}), {"value[1]": "object is not accepted"}),
        ([TEXT, TEXT], takes(TEXT), {"value": "array is not accepted"}),
        (
            [FLOUR],
            {"type": "object", "properties": {}},
            {"": "has no parameter that could take the result; immutable(...) makes a step that takes none"},
        ),
    ],
)
def test_what_does_not_fit(results, parameters, wrong):
    assert refused(results, parameters) == wrong


def test_a_result_that_may_be_anything_is_not_shown_to_fit():
    problems = refused([{"type": "object", "additionalProperties": True}], TAKES_FLOUR)
    assert problems["flour.kind"] == "must be given"


def test_objects_have_no_fields_but_those_that_are_named():
    part = {"type": "object", "properties": {"properties": {"items": {"properties": {}}}}}
    shut = {
        "type": "object",
        "properties": {"properties": {"items": {"properties": {}, "additionalProperties": False}}},
        "additionalProperties": False,
    }
    assert closed(part) == shut
    assert closed({"anyOf": [part], "$defs": {"A": part}}) == {"anyOf": [shut], "$defs": {"A": shut}}
    for open_one in (
        {"type": "object"},
        {**part, "additionalProperties": True, "properties": {}},
        {"allOf": [part]},
        True,
    ):
        assert closed(open_one) == open_one


def test_definitions_of_several_results_do_not_mix():
    other = {"$defs": {"Kind": TEXT}, "$ref": "#/$defs/Kind"}
    listed = list_of([FLOUR, other])
    assert listed["$defs"] == {"0-Kind": FLOUR["$defs"]["Kind"], "1-Kind": TEXT}
    assert listed["prefixItems"][0]["properties"]["kind"] == {"$ref": "#/$defs/0-Kind"}
    assert listed["prefixItems"][1] == {"$ref": "#/$defs/1-Kind"}
