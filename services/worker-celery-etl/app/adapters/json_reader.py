"""Reads JSON Lines: one object a line, and the first one names the columns."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, NoReturn

from app.adapters.lines import first_line, numbered_lines
from app.rows import Batch, Rejected, Row
from workerkit.errors import PermanentError


class JsonLinesReader:
    """A file of JSON Lines; later objects may leave columns out, which are NULL then, and have no others.

    Args:
        stream: its bytes.
        share: says how much of it has been read, from 0 to 1.
        longest: bytes that a line may have.

    Raises:
        PermanentError: it is empty, or its first line is not an object.
    """

    kinds: Mapping[str, str] = {}

    def __init__(self, stream: IO[bytes], share: Callable[[], float], longest: int) -> None:
        self._stream, self._share, self._longest = stream, share, longest
        try:
            self.header: Sequence[str] = list(_object(first_line(stream, longest)))
        except ValueError as error:
            raise PermanentError(f"the first line, which names the columns, {error}") from None

    def batches(self, position: int, rows: int) -> Iterator[Batch]:
        """Hand out what comes after line `position`, `rows` lines at a time."""
        for first, lines in numbered_lines(self._stream, skip=position, count=rows, longest=self._longest):
            yield self._batch(first, lines)

    def _batch(self, first: int, lines: list[bytes]) -> Batch:
        found, numbers, raws, broken = list[Row](), list[int](), list[bytes](), list[Rejected]()
        for number, raw in enumerate(lines, first):
            if not raw.strip():
                continue
            try:
                found.append(row_of(_object(raw), self.header))
                numbers.append(number)
                raws.append(raw)
            except ValueError as error:
                broken.append(Rejected(number, str(error), raw))
        return Batch(found, numbers, raws, first + len(lines) - 1, self._share(), broken)


def row_of(fields: Mapping[str, Any], header: Sequence[str]) -> Row:
    """The values of a JSON object as text, in the order of the header.

    Raises:
        ValueError: it has other columns, or a value is not plain.
    """
    unknown = sorted(fields.keys() - set(header))
    if unknown:
        raise ValueError(f"has unknown columns: {ascii(unknown)[:200]}")
    return [_text(name, fields.get(name)) for name in header]


def _text(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is neither text nor a number")  # noqa: TRY004  - a wrong row, not a bug
    return repr(value)


def _object(line: bytes) -> dict[str, Any]:
    try:
        # Numbers stay the text that they are in the file.
        value = json.loads(line.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON: {str(error)[:200]}") from None
    if not isinstance(value, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004  - a wrong row, not a bug
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
