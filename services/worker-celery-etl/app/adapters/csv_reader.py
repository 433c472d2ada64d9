"""Reads CSV, and loses no row to a bad neighbour: bytes that are no UTF-8, a quote that is never closed."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from app.adapters.lines import first_line, numbered_lines
from app.rows import Batch, Rejected
from workerkit.errors import PermanentError


class CsvReader:
    """A CSV file as RFC 4180 has it, with a header in its first line; empty lines are skipped.

    Args:
        stream: its bytes.
        share: says how much of it has been read, from 0 to 1.
        longest: bytes that a line, or a row with line breaks in quotes, may have.

    Raises:
        PermanentError: it is empty, or its header cannot be read.
    """

    kinds: Mapping[str, str] = {}

    def __init__(self, stream: IO[bytes], share: Callable[[], float], longest: int) -> None:
        self._stream, self._share, self._longest = stream, share, longest
        line = first_line(stream, longest).decode("utf-8-sig", "backslashreplace")
        try:
            self.header: Sequence[str] = next(csv.reader([line], strict=True), [])
        except csv.Error as error:
            raise PermanentError(f"the header cannot be read: {error}") from None

    def batches(self, position: int, rows: int) -> Iterator[Batch]:
        """Hand out what comes after line `position`, `rows` lines at a time."""
        skip, first, open_row = max(position, 1), max(position, 1) + 1, list[bytes]()
        for _, lines in numbered_lines(self._stream, skip=skip, count=rows, longest=self._longest):
            raws, numbers, rest = _rows(open_row + lines, first, self._longest)
            first, open_row = first + len(open_row) + len(lines) - len(rest), rest
            yield _batch(raws, numbers, first - 1, self._share())
        while open_row:  # the file ends within quotes
            raws, numbers, rest = _rows(open_row, first, self._longest, at_end=True)
            first, open_row = first + len(open_row) - len(rest), rest
            yield _batch(raws, numbers, first - 1, self._share())


def _rows(
    lines: list[bytes], first: int, longest: int, *, at_end: bool = False
) -> tuple[list[bytes], Sequence[int], list[bytes]]:
    """Puts lines together to rows; returns these, where each begins, and the lines of one that goes on."""
    if not any(b'"' in line for line in lines):
        return lines, range(first, first + len(lines)), []
    rows, numbers, index = list[bytes](), list[int](), 0
    while index < len(lines):
        end = _end_of_row(lines, index, longest)
        if end > len(lines) and not at_end:
            return rows, numbers, lines[index:]
        end = index + 1 if end > len(lines) else end
        rows.append(b"\n".join(lines[index:end]))
        numbers.append(first + index)
        index = end
    return rows, numbers, []


def _end_of_row(lines: list[bytes], start: int, longest: int) -> int:
    """The line after the row that begins at `start`: quotes come in pairs. Beyond the end if they do not, so far."""
    size, is_open = 0, False
    for index in range(start, len(lines)):
        size += len(lines[index]) + 1
        if size > longest + 1:
            return start + 1  # never closed: that line stands alone, and does not take the others with it
        is_open ^= lines[index].count(b'"') % 2 == 1
        if not is_open:
            return index + 1
    return len(lines) + 1


def _batch(raws: Sequence[bytes], numbers: Sequence[int], position: int, share: float) -> Batch:
    if not all(map(bytes.strip, raws)):
        kept = [(raw, number) for raw, number in zip(raws, numbers, strict=True) if raw.strip()]
        raws, numbers = [raw for raw, _ in kept], [number for _, number in kept]
    # What is no UTF-8 becomes surrogates, which no converter takes.
    texts = b"\n".join(raws).decode("utf-8", "surrogateescape").split("\n") if raws else []
    if len(texts) != len(raws):  # a row has line breaks in it
        texts = [raw.decode("utf-8", "surrogateescape") for raw in raws]
    try:
        rows = list(csv.reader(texts, strict=True))
    except csv.Error:
        return _one_by_one(texts, raws, numbers, position, share)
    return Batch(rows, numbers, raws, position, share)


def _one_by_one(
    texts: Sequence[str], raws: Sequence[bytes], numbers: Sequence[int], position: int, share: float
) -> Batch:
    rows, kept, broken = [], [], []
    for text, raw, number in zip(texts, raws, numbers, strict=True):
        try:
            rows.append(next(csv.reader([text], strict=True)))
            kept.append((raw, number))
        except csv.Error as error:
            broken.append(Rejected(number, f"is not CSV: {error}", raw))
    return Batch(rows, [number for _, number in kept], [raw for raw, _ in kept], position, share, broken)
