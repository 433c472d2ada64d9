"""Replaces the text in a payload by placeholders of the same shape, fit to be shown and kept in a repository."""

import base64
import re
from collections.abc import Collection
from datetime import date
from typing import Any, Final

LONGEST: Final = 2_000  # characters; a longer text is cut

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
_URL = re.compile(r"([a-z][a-z0-9+.-]*://)(.*)", re.DOTALL)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')
_TASK = re.compile(r"app\.tasks\.[a-zA-Z_]+\.[a-zA-Z_]+")
_PROTOCOL = frozenset({"application/json", "application/x-python-serialize", "base64", "binary", "py", "utf-8"})
_FIELD = re.compile(r"[A-Za-z_]\w{0,39}", re.ASCII)


class Redaction:
    """Redacts values and remembers where it has changed something.

    Args:
        keep: texts that stay, such as the values of an enumeration in the task's contract.
    """

    def __init__(self, keep: Collection[str] = ()) -> None:
        self._keep = frozenset(keep)
        self.changed: list[str] = []

    def __call__(self, value: Any, path: str) -> Any:
        """The value with placeholders; numbers, true, false, null and the structure stay.

        Args:
            value: of JSON types.
            path: its dotted path, for `changed`.
        """
        match value:
            case str():
                return self._text(value, path)
            case list():
                return [self(item, f"{path}.{index}") for index, item in enumerate(value)]
            case dict():
                return {key: self(item, f"{path}.{key}") for key, item in self._keys(value)}
        return value

    def _text(self, text: str, path: str) -> str:
        shaped = text if text in self._keep else placeholder(text)
        if shaped != text:
            self.changed.append(path)
        return shaped

    def _keys(self, value: dict[str, Any]) -> list[tuple[str, Any]]:
        """A name of a field stays; a key that is data, such as an address, does not."""
        return [
            (key if key in self._keep or _FIELD.fullmatch(key) else f"key{number}", item)
            for number, (key, item) in enumerate(value.items())
        ]


def placeholder(text: str) -> str:
    """A text of the same shape: an address stays an address, a date a date (a wrong one a wrong one).

    In anything else letters become x, X or ö (if they are not ASCII) and digits 1; spaces and punctuation stay.
    """
    if _EMAIL.fullmatch(text):
        return "somebody@example.com"
    if _UUID.fullmatch(text):
        return "11111111-1111-4111-8111-111111111111"
    if _TIME.fullmatch(text):
        return ("2011-11-11" if _is_date(text[:10]) else "2011-02-30") + text[10:]
    if match := _URL.fullmatch(text):
        return match[1] + _masked(match[2])
    return _masked(text)


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def mask_raw(raw: bytes) -> bytes:
    """A message that cannot be read, with what stands between quotes masked; names of fields and of tasks stay.

    What makes the message unreadable may be lost by this, if it lies in a text.
    """
    text = raw.decode("latin-1")  # each byte is one character, so that any bytes survive
    masked = _QUOTED.sub(_masked_quoted, text) if '"' in text else _masked_ascii(text)
    return masked.encode("latin-1")


def _masked_quoted(found: re.Match[str]) -> str:
    return found[0] if found[2] else f'"{_masked_text(found[1])}"'


def _masked_text(text: str) -> str:
    if text in _PROTOCOL or _TASK.fullmatch(text):
        return text
    try:
        body = base64.b64decode(text, validate=True)
    except ValueError:
        body = b""
    return base64.b64encode(mask_raw(body)).decode() if body[:1] in {b"[", b"{"} else _masked_ascii(text)


def _masked_ascii(text: str) -> str:
    return "".join(_mask(character) if character.isascii() else character for character in text)


def _masked(text: str) -> str:
    return "".join(map(_mask, text[:LONGEST]))


def _mask(character: str) -> str:
    if character.isdigit():
        return "1"
    if not character.isalpha():
        return character
    if not character.isascii():
        return "ö"
    return "X" if character.isupper() else "x"
