import json
import pickle
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from pydantic import BaseModel

from taskclient.errors import PayloadNotSerializable, PayloadTooLarge
from taskclient.payload import MAX_BYTES, encode_payload

NAME = "app.tasks.demo.add"


class Colour(Enum):
    RED = "red"


class Point(BaseModel):
    x: int
    when: date


@dataclass
class Pair:
    left: int


def test_python_values_take_their_json_form():
    payload = {
        "model": Point(x=1, when=date(2025, 1, 2)),
        "moment": datetime(2025, 1, 2, 3, tzinfo=UTC),
        "id": UUID(int=1),
        "price": Decimal("1.50"),
        "colour": Colour.RED,
        "nested": [{"pair": Pair(3)}, (1, None, True)],
        "text": "Grüße \U0001f44b",
    }

    assert json.loads(encode_payload(NAME, payload)) == {
        "model": {"x": 1, "when": "2025-01-02"},
        "moment": "2025-01-02T03:00:00Z",
        "id": "00000000-0000-0000-0000-000000000001",
        "price": "1.50",
        "colour": "red",
        "nested": [{"pair": {"left": 3}}, [1, None, True]],
        "text": "Grüße \U0001f44b",
    }


def endless() -> list:
    own: list = []
    own.append(own)
    return own


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"good": 1, "bad": object()}, "bad"),
        ({"list": [1, {"deep": object()}]}, "list.1.deep"),
        ({"number": float("nan")}, "number"),
        ({"number": [float("inf")]}, "number.0"),
        ({"text": "\ud800"}, "text"),
        ({"data": b"\xff"}, "data"),
        ({"function": print}, "function"),
        ({"model": Point.model_construct(x=object(), when=1)}, "model"),
    ],
)
def test_the_field_without_a_json_form_is_named(payload, field):
    with pytest.raises(PayloadNotSerializable, match=f"field '{field}' ") as caught:
        encode_payload(NAME, payload)
    assert NAME in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).errors == [{"field": field, "problem": "has no JSON form"}]  # noqa: S301


def test_a_list_in_itself():
    with pytest.raises(PayloadNotSerializable, match="field 'loop"):
        encode_payload(NAME, {"loop": endless()})


def test_the_limit_is_exact():
    frame = len(b'{"text":""}')

    assert len(encode_payload(NAME, {"text": "x" * (MAX_BYTES - frame)})) == MAX_BYTES
    with pytest.raises(PayloadTooLarge, match="send a reference"):
        encode_payload(NAME, {"text": "x" * (MAX_BYTES - frame + 1)})


def test_bytes_count_not_characters():
    with pytest.raises(PayloadTooLarge):
        encode_payload(NAME, {"text": "ü" * (MAX_BYTES // 2)})
