"""Malformed messages whose outermost object is wrong: properties, delivery, content type, encoding."""

from collections.abc import Iterator
from typing import Any

from devstack.malformed.message import Expected, Maker, Malformed, dumps, nested

_WRONG = {"null": None, "a list": ["x"], "a number": 7, "text": "text", "true": True, "empty text": ""}


def of_envelope(make: Maker) -> Iterator[Malformed]:
    """Keys of the outermost object that are missing or of another type."""
    for key in ("properties", "headers", "body"):
        yield Malformed(f"no {key}", make.without(key))
    for key in ("content-type", "content-encoding"):
        yield Malformed(f"no {key}", make.without(key), Expected.MAY_RUN)
    for kind, value in _WRONG.items():
        yield Malformed(f"properties is {kind}", make.envelope(properties=value))
        yield Malformed(f"headers is {kind}", make.envelope(headers=value))
        yield Malformed(f"body is {kind}", make.envelope(body=value))
    yield Malformed("body is an object", make.envelope(body={"args": []}))
    yield Malformed("properties is empty", make.envelope(properties={}), Expected.MAY_RUN)
    yield Malformed("headers is empty", make.envelope(headers={}))
    yield Malformed("1,000 more keys", make.envelope(**{f"x{n}": n for n in range(1_000)}), Expected.MAY_RUN)
    yield Malformed(
        "a deep value beside the rest", make.envelope(deep="@").replace(b'"@"', nested(950).encode()), Expected.MAY_RUN
    )


def of_properties(make: Maker) -> Iterator[Malformed]:
    """Properties that are missing or of another type."""
    value: Any
    info: Any
    tag: Any
    for key in (
        "delivery_info",
        "delivery_tag",
        "body_encoding",
        "correlation_id",
        "reply_to",
        "priority",
        "delivery_mode",
    ):
        yield Malformed(f"no {key}", make.without("properties", key), Expected.MAY_RUN)
        for kind, value in {**_WRONG, "an object": {"a": {}}, "huge": 10**30, "negative": -1}.items():
            yield Malformed(f"{key} is {kind}", make.properties(**{key: value}), Expected.MAY_RUN)
    for name, value in {
        "unknown": "base85",
        "quoted-printable": "quopri",
        "an attribute": "__class__",
        "escapes": "unicode_escape",
    }.items():
        yield Malformed(f"body_encoding is {name}", make.properties(body_encoding=value), Expected.MAY_RUN)
    for name, info in {
        "empty": {},
        "without routing key": {"exchange": ""},
        "another queue's": {"exchange": "", "routing_key": "somebody-else"},
        "of an unknown exchange": {"exchange": "nobody", "routing_key": "nobody"},
        "of objects": {"exchange": {"a": 1}, "routing_key": {"b": 2}},
        "of lists": {"exchange": [], "routing_key": []},
        "redelivered": {"exchange": "", "routing_key": make.queue, "redelivered": True},
        "redelivered by text": {"exchange": "", "routing_key": make.queue, "redelivered": "no"},
        "redelivered by an object": {"exchange": "", "routing_key": make.queue, "redelivered": {}},
        "a consumer's tag": {"exchange": "", "routing_key": make.queue, "consumer_tag": "None1"},
        "another delivery tag": {"exchange": "", "routing_key": make.queue, "delivery_tag": "1"},
        "of 100 KB": {"exchange": "x" * 100_000, "routing_key": "y" * 100_000},
    }.items():
        yield Malformed(f"delivery_info is {name}", make.properties(delivery_info=info), Expected.MAY_RUN)
    for tag in ("1", "0", "\x00", "2\n3", "\ud800", "None", 0, 2**64, "t" * 100_000):
        yield Malformed(f"delivery_tag is {tag!r:.12}", make.properties(delivery_tag=tag), Expected.MAY_RUN)
    yield Malformed("expiration is text", make.properties(expiration="soon"), Expected.MAY_RUN)
    yield Malformed("half characters in the properties", make.properties(correlation_id="\ud800"), Expected.MAY_RUN)
    deep = make.properties(deep="@").replace(b'"@"', nested(900).encode())
    yield Malformed("900 lists in the properties", deep, Expected.MAY_RUN)


def of_content(make: Maker) -> Iterator[Malformed]:
    """Content types and encodings that no worker accepts, or that take all its time."""
    value: Any
    changes: dict[str, Any]
    for kind in (
        "application/x-python-serialize",
        "application/x-yaml",
        "application/x-msgpack",
        "no/such",
        "pickle",
        "yaml",
    ):
        yield Malformed(f"content-type is {kind}", make.envelope(**{"content-type": kind}))
    for name, value in {
        "null": None,
        "a number": 7,
        "a list": [],
        "an object": {},
        "empty": "",
        "text/plain": "text/plain",
    }.items():
        yield Malformed(f"content-type is {name}", make.envelope(**{"content-type": value}), Expected.MAY_RUN)
    for value in ("no-such-codec", "rot13", "hex", "base64", "undefined", "idna", "\x00", "\ud800", 7, [], {"a": 1}):
        changes = {"content-encoding": value}
        yield Malformed(f"content-encoding is {value!r}", make.envelope(**changes), Expected.MAY_RUN)
    for value in (
        None,
        "",
        "binary",
        "ascii",
        "latin-1",
        "UTF8",
        "utf-16",
        "punycode",
        "unicode_escape",
        "zlib",
        "bz2",
    ):
        changes = {"content-encoding": value}
        yield Malformed(f"content-encoding is {value!r}", make.envelope(**changes), Expected.MAY_RUN)
    slow = dumps([["a" * 300_000 + "-" + "b" * 300_000], {}, {}])
    tree = make.body(slow)
    yield Malformed(
        "600 KB in an encoding of quadratic time",
        tree.replace(b'"content-encoding": "utf-8"', b'"content-encoding": "punycode"'),
        Expected.MAY_RUN,
    )
    yield Malformed("content-type of pickle, without headers", make.envelope(headers={}, **{"content-type": "pickle"}))
