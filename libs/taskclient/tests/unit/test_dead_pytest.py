import ast
import json

import pytest

from taskclient.dead_message import decode_message
from taskclient.dead_pytest import contract_words, write_test
from taskclient.errors import InvalidTaskName
from taskclient.letters import Letter
from taskclient.message import build_message

NAME = "app.tasks.demo.add"


def letter(reason="failed", **fields):
    return Letter(
        **{"id": "0b8e-1", "reason": reason, "task": NAME, "service": "demo", "error": "KeyError: 'Ada'"} | fields
    )


def written(of, sent, *, raw=None, name=NAME, **options):
    raw = raw or build_message(name, sent, queue="demo", task_id=of.id)
    text = write_test(of, raw, decode_message(raw), **options)
    compile(text, "test_dead.py", "exec")
    assert text.isascii()
    return text


def payload_of(text):
    values = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            values[node.targets[0].id] = node.value.value
    return values["PAYLOAD"]


def test_texts_are_redacted_and_the_file_says_which():
    text = written(letter(), {"who": "Ada", "count": 0})

    assert "Ada" not in text
    assert '"who": "Xxx"' in text
    assert '"count": 0' in text
    assert "kwargs.who" in text
    assert "KeyError" in text


def test_the_payload_as_it_is_on_request():
    payload = {"a": 'quotes """ and \'\'\' and \\ and \\"', "b": "ü\n東"}

    text = written(letter(), payload, payload=True)

    assert json.loads(payload_of(text)) == [[], payload]
    assert "personal data" in text


def test_nothing_from_the_letter_can_end_the_docstring():
    evil = letter(error='Boom: """ \\N{x} {0} {payload}', id='x"""\\u', version="\x1b[2J")
    assert "dead_letter_x" in written(evil, {"a": 1}, payload=True)


def test_an_unreadable_message_is_fed_to_the_guard():
    text = written(letter("unreadable", task=None), None, raw=b'{"body": "Ada\xff', payload=True)

    assert "from workerkit.transport.guard import read" in text
    assert "byte for byte" in text


def test_a_letter_whose_task_did_not_run_has_no_test():
    with pytest.raises(ValueError, match="Replay it"):
        written(letter("waited too long"), {"a": 1})


def test_a_name_that_names_no_module():
    with pytest.raises(InvalidTaskName):
        written(letter(task="add"), {"a": 1}, name="add")


def test_the_words_of_a_contract():
    schema = {
        "properties": {
            "kind": {"enum": ["a", "b"]},
            "mode": {"anyOf": [{"const": "c"}, {"type": "null"}], "default": "d"},
            "n": {"default": 3},
        },
    }
    assert contract_words(schema) == {"a", "b", "c", "d"}
