import base64
import json

import pytest

from taskclient.redaction import LONGEST, Redaction, mask_raw, placeholder


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("ada.lovelace@mail.example.org", "somebody@example.com"),
        ("0B8E8A0C-1111-2222-3333-abcdefabcdef", "11111111-1111-4111-8111-111111111111"),
        ("1985-12-31", "2011-11-11"),
        ("1985-02-31", "2011-02-30"),
        ("1985-12-31T23:59:59Z", "2011-11-11T23:59:59Z"),
        ("https://ada.example.com/a?b=1", "https://xxx.xxxxxxx.xxx/x?x=1"),
        ("Ada Lovelace, 36", "Xxx Xxxxxxxx, 11"),
        ("Jürgen 東", "Xöxxxx ö"),
        ("sk-live-4Tz9", "xx-xxxx-1Xx1"),
        ("+49 170 1234567", "+11 111 1111111"),
        ("", ""),
        ("  \n", "  \n"),
    ],
)
def test_shapes(text, shape):
    assert placeholder(text) == shape


def test_a_long_text_is_cut():
    assert placeholder("secret " * 1000) == ("xxxxxx " * 1000)[:LONGEST]


def test_numbers_and_structure_stay_and_the_changes_are_named():
    redact = Redaction(keep={"express"})
    payload = {"n": 0, "f": 1.5, "none": None, "yes": True, "kind": "express", "who": [{"name": "Ada"}, ""]}

    assert redact(payload, "kwargs") == {**payload, "who": [{"name": "Xxx"}, ""]}
    assert redact.changed == ["kwargs.who.0.name"]


def test_keys_that_are_data_are_redacted_too():
    assert Redaction()({"ada@example.com": 1, "bob@example.com": 2, "field_1": 3}, "x") == {
        "key0": 1,
        "key1": 2,
        "field_1": 3,
    }


def test_a_raw_message_keeps_its_structure_and_loses_its_words():
    body = base64.b64encode(b'[[], {"to": "ada@example.com"}]').decode()
    raw = json.dumps({"body": body, "headers": {"task": "app.tasks.demo.add", "eta": "garbage"}, "x": "utf-8"}).encode()

    masked = json.loads(mask_raw(raw))

    assert json.loads(base64.b64decode(masked["body"])) == [[], {"to": "xxx@xxxxxxx.xxx"}]
    assert masked["headers"] == {"task": "app.tasks.demo.add", "eta": "xxxxxxx"}
    assert masked["x"] == "utf-8"


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00", b'{"a": "\xff"', b"Ada 7", b'{"a": "b'])
def test_any_bytes_survive_in_number(raw):
    masked = mask_raw(raw)

    assert len(masked) == len(raw)
    assert [byte for byte in masked if byte > 127] == [byte for byte in raw if byte > 127]
