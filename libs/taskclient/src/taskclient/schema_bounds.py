"""Whether the bounds of one JSON Schema lie within those of another: of numbers, lengths and counts."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

from taskclient.json_schema import OF_TYPE, Schema


def narrower(kind: str, had: Schema, asked: Schema) -> Iterator[tuple[str, bool]]:
    """What is asked of a value itself, beyond what was.

    Args:
        kind: the type that values of `had` have.
        had: what was asked.
        asked: what is asked.

    Returns:
        Each reason, and whether it is certain.
    """
    words = OF_TYPE["number" if kind == "integer" else kind]
    for word, compare in _BOUNDS.items():
        if word in words and word in asked and not compare(had, asked[word], kind):
            yield f"{word} is {json.dumps(asked[word])}", True
    for word in ("pattern", "format"):
        if word in words and word in asked and asked[word] != had.get(word):
            yield f"{word} is {json.dumps(asked[word])}", had.get(word) is None
    if "uniqueItems" in words and asked.get("uniqueItems") and not had.get("uniqueItems"):
        yield "no two items may be the same", True


def _exact(number: Any) -> Fraction:
    return Fraction(str(number))


def _at_least(had: Schema, bound: Any, *, exclusive: bool) -> bool:
    """Whether all of `had` lies at the bound or above, or above it."""
    low = [(_exact(had[word]), word == "exclusiveMinimum") for word in ("minimum", "exclusiveMinimum") if word in had]
    limit = _exact(bound)
    return any(value > limit or (value == limit and (open_ or not exclusive)) for value, open_ in low)


def _at_most(had: Schema, bound: Any, *, exclusive: bool) -> bool:
    high = [(_exact(had[word]), word == "exclusiveMaximum") for word in ("maximum", "exclusiveMaximum") if word in had]
    limit = _exact(bound)
    return any(value < limit or (value == limit and (open_ or not exclusive)) for value, open_ in high)


def _multiple(had: Schema, step: Any, kind: str) -> bool:
    """Of fractions only the same one: how a validator rounds is its own matter."""
    own = had.get("multipleOf", 1 if kind == "integer" else None)
    whole = isinstance(own, int) and isinstance(step, int)
    return own == step or (whole and own % step == 0) or (kind == "integer" and step == 1)


def _least_count(had: Schema, word: str) -> int:
    least = had.get(word, 0)
    return max(least, len(set(had.get("required", ())))) if word == "minProperties" else int(least)


def _most_count(had: Schema, word: str) -> float:
    most = float(had.get(word, "inf"))
    closed = had.get("additionalProperties") is False and "patternProperties" not in had
    return min(most, len(had.get("properties", {}))) if word == "maxProperties" and closed else most


_BOUNDS: Final[dict[str, Callable[[Schema, Any, str], bool]]] = {
    "minimum": lambda had, bound, _: _at_least(had, bound, exclusive=False),
    "exclusiveMinimum": lambda had, bound, _: _at_least(had, bound, exclusive=True),
    "maximum": lambda had, bound, _: _at_most(had, bound, exclusive=False),
    "exclusiveMaximum": lambda had, bound, _: _at_most(had, bound, exclusive=True),
    "multipleOf": _multiple,
    **{
        word: lambda had, bound, _, word=word: _least_count(had, word) >= bound  # type: ignore[misc]
        for word in ("minLength", "minItems", "minProperties")
    },
    **{
        word: lambda had, bound, _, word=word: _most_count(had, word) <= bound  # type: ignore[misc]
        for word in ("maxLength", "maxItems", "maxProperties")
    },
}
