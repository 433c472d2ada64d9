import pytest

from taskclient.cli_errors import exit_code
from taskclient.cli_input import parse_payload
from taskclient.cli_output import parameters_of
from taskclient.errors import BrokerUnavailable, InvalidTaskName, TaskRevoked, TaskTimeout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("true", True),
        ("null", None),
        ("[1, 2]", [1, 2]),
        ('"3"', "3"),
        ("Ada", "Ada"),
        ("", ""),
        ("a=b", "a=b"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
    ],
)
def test_json_if_it_parses_else_text(text, value):
    assert parse_payload([f"key={text}"], None) == {"key": value}


def test_a_word_outranks_the_json():
    assert parse_payload(["b=2"], '{"a": 1, "b": 1}') == {"a": 1, "b": 2}


@pytest.mark.parametrize(("fields", "payload"), [(["a"], None), (["=1"], None), ([], "[1]"), ([], "{"), ([], "NaN")])
def test_wrong_input(fields, payload):
    with pytest.raises(ValueError, match=r"key=value|--json-payload"):
        parse_payload(fields, payload)


def test_parameters_of_a_schema():
    schema = {"properties": {"to": {"type": "string"}, "any": {}, "n": {"type": "integer"}}, "required": ["to", "any"]}

    assert parameters_of(schema) == "to: string, any, n?: integer"
    assert parameters_of({}) == ""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TaskRevoked("id", "X", "y"), 1),
        (InvalidTaskName("x"), 2),
        (ValueError("x"), 2),
        (BrokerUnavailable("x"), 3),
        (TaskTimeout("x"), 4),
    ],
)
def test_exit_codes(error, code):
    assert exit_code(error) == code
