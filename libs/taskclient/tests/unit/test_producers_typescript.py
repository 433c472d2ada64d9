"""What the TypeScript module says of schemas; workerkit's `test_producers.py` compiles it and runs it."""

import pytest

from taskclient.catalog import CatalogEntry
from taskclient.producers_typescript import TypeScriptTypes, typescript


def entry(name, parameters, result=True, description="Do it."):
    return CatalogEntry(
        name=name, queue="q", service="s", description=description, parameters=parameters, result={"const": result}
    )


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "integer"}, "number"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"enum": ["a", 1, 1.5, None, True]}, '"a" | 1 | 1.5 | null | true'),
        ({"enum": ["a", {}]}, "unknown"),
        ({"type": "array", "items": {"type": ["integer", "string"]}}, "Array<number | string>"),
        ({"type": "array", "prefixItems": [{}]}, "Array<unknown>"),
        ({"type": "object", "additionalProperties": {"type": "boolean"}}, "Record<string, boolean>"),
        ({"anyOf": [{"type": "string"}, {}]}, "unknown"),
        ({"type": "string", "format": "date-time"}, "Date | string"),
        ({"type": "string", "format": "date"}, "string"),
        (True, "unknown"),
    ],
)
def test_what_may_be_sent(schema, kind):
    assert TypeScriptTypes({}, "X", sent=True).of(schema, "Y") == kind


def test_an_object_is_an_interface_that_may_hold_itself():
    schema = {
        "$defs": {
            "Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}, "a-b": {"type": "null"}}}
        },
        "$ref": "#/$defs/Node",
    }
    types = TypeScriptTypes(schema, "List", sent=False)
    assert types.of(schema, "") == "ListNode"
    assert types.classes == {"ListNode": 'export interface ListNode {\n  next?: ListNode;\n  "a-b"?: null;\n}\n'}


def test_each_task_has_a_function_with_its_name_and_queue():
    needs = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    module = typescript(
        [entry("app.tasks.b.two", needs), entry("app.tasks.a.one_more", {}, description="Say */ so.\n\nMore.")]
    )
    assert module.index("export function aOneMore") < module.index("export function bTwo")
    assert "/** Say * / so. */" in module
    assert "  payload: AOneMorePayload = {}," in module
    assert "  payload: BTwoPayload," in module
    assert '  return client.send("app.tasks.b.two", payload, { queue: "q", ...options });' in module
    assert "Promise<TaskHandle<true>>" in module


def test_two_tasks_of_one_name_are_told():
    with pytest.raises(ValueError, match="would both be called"):
        typescript([entry("app.tasks.a.b_c", {}), entry("app.tasks.a_b.c", {})])
