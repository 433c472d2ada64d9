"""What readers hand to the validator, and the validator to the loader: rows by the batch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

Row = Sequence[str | None]


class Rejected(NamedTuple):
    """A row that is not taken: its first line (row number for Parquet), why, and its bytes."""

    line: int
    reason: str
    raw: bytes


@dataclass(frozen=True)
class Batch:
    """Consecutive rows of a file.

    Args:
        rows: the fields as text, in the order of the header; None is NULL.
        lines: where each row begins, counted from 1.
        raws: the bytes of each row.
        position: the last line that this and all earlier batches took.
        share: how much of the file that is, from 0 to 1.
        broken: what could not be split into fields.
    """

    rows: Sequence[Row]
    lines: Sequence[int]
    raws: Sequence[bytes]
    position: int
    share: float
    broken: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True)
class Checked:
    """A batch after validation.

    Args:
        block: the good rows for COPY: text format, a row's line first, then the table's columns.
        good: how many they are.
        rejected: the others.
        position: as in `Batch`.
    """

    block: bytes
    good: int
    rejected: list[Rejected]
    position: int


class Reader(Protocol):
    """A file of one format, open."""

    @property
    def header(self) -> Sequence[str]:
        """The names of its columns."""

    @property
    def kinds(self) -> Mapping[str, str]:
        """What its typed columns hold: text, whole number, number, time, nothing, or something else."""

    def batches(self, position: int, rows: int) -> Iterator[Batch]:
        """Read it from the beginning, and hand out what comes after line `position`, `rows` lines at a time."""
