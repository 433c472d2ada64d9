"""Splits a stream of bytes into numbered lines, many at a time and none of them without end."""

from collections.abc import Iterator
from typing import IO

from workerkit.errors import PermanentError

_PIECE = 256 * 1024  # bytes


def first_line(stream: IO[bytes], longest: int) -> bytes:
    """The first line, without its end.

    Raises:
        PermanentError: there is none, or it is longer than `longest` bytes.
    """
    stream.seek(0)
    line = stream.readline(longest + 2)
    if not line:
        raise PermanentError("the file is empty: it has not even a header")
    _check(line.rstrip(b"\r\n"), 1, longest)
    return line.rstrip(b"\r\n")


def numbered_lines(stream: IO[bytes], *, skip: int, count: int, longest: int) -> Iterator[tuple[int, list[bytes]]]:
    r"""Read all lines after the first `skip`.

    Args:
        stream: read from its beginning.
        skip: lines to leave out.
        count: how many lines to hand out at a time.
        longest: bytes that a line may have.

    Returns:
        The number of the first line, and `count` lines without their \n; fewer at the end.

    Raises:
        PermanentError: a line is too long.
    """
    number = skip + 1
    for lines in _packed(stream, skip, count, longest):
        if max(map(len, lines)) > longest:
            for index, line in enumerate(lines):
                _check(line, number + index, longest)
        yield number, lines
        number += len(lines)


def _packed(stream: IO[bytes], skip: int, count: int, longest: int) -> Iterator[list[bytes]]:
    lines: list[bytes] = []
    for found in _split(stream, longest):
        lines += found[skip:] if skip else found
        skip -= min(skip, len(found))
        full = len(lines) - len(lines) % count
        for start in range(0, full, count):
            yield lines[start : start + count]
        lines = lines[full:]
    if lines:
        yield lines


def _split(stream: IO[bytes], longest: int) -> Iterator[list[bytes]]:
    stream.seek(0)
    rest, seen = b"", 0
    while piece := stream.read(_PIECE):
        *lines, rest = (rest + piece).split(b"\n")
        seen += len(lines)
        _check(rest, seen + 1, longest)
        yield lines
    if rest:
        yield [rest]


def _check(line: bytes, number: int, longest: int) -> None:
    if len(line) > longest:
        raise PermanentError(f"line {number:,} has more than {longest:,} bytes; ETL_MAX_LINE_BYTES sets the limit")
