"""Checks the rows of a dataset: the good ones become COPY text, the others are rejected with all their reasons."""

from collections.abc import Iterable, Mapping, Sequence

from app.processors.schema import Schema
from app.rows import Batch, Checked, Rejected, Row
from workerkit.errors import PermanentError

# What a typed file may have in a column; NaN in a column of numbers is how pandas writes a missing whole number.
_FITTING = {
    "text": {"text", "nothing"},
    "whole number": {"whole number", "number", "nothing"},
    "number": {"whole number", "number", "nothing"},
    "time": {"time", "text", "nothing"},
}


class Validator:
    """The rules of a dataset for one file.

    Args:
        schema: of the dataset.
        header: the file's columns, in any order.
        kinds: what its columns hold, if the format says so.

    Raises:
        PermanentError: the file has other columns than the dataset, or of other types; all are named.
    """

    def __init__(self, schema: Schema, header: Sequence[str], kinds: Mapping[str, str] | None = None) -> None:
        _check_header(schema, header)
        _check_kinds(schema, kinds or {})
        self._width = len(header)
        self._targets = [(target, header.index(target.origin)) for target in schema.targets]

    def check(self, batch: Batch) -> Checked:
        """Validate a batch: column by column, or row by row if there is something wrong with it."""
        try:
            block = self._block_of(batch.rows, batch.lines) if batch.rows else b""
        except ValueError:
            return self._row_by_row(batch)
        return Checked(block, len(batch.rows), batch.broken, batch.position)

    def _block_of(self, rows: Sequence[Row], lines: Sequence[int]) -> bytes:
        fields = list(zip(*rows, strict=True))
        if len(fields) != self._width:
            raise ValueError("another number of fields")
        columns = [list(map(target.convert.__getitem__, fields[index])) for target, index in self._targets]
        return _joined(zip(map(str, lines), *columns, strict=True))

    def _row_by_row(self, batch: Batch) -> Checked:
        good, rejected = [], list(batch.broken)
        for row, line, raw in zip(batch.rows, batch.lines, batch.raws, strict=True):
            fields, reasons = self._convert(row)
            if reasons:
                rejected.append(Rejected(line, "; ".join(reasons), raw))
            else:
                good.append([str(line), *fields])
        return Checked(_joined(good), len(good), rejected, batch.position)

    def _convert(self, row: Row) -> tuple[list[str], list[str]]:
        if len(row) != self._width:
            return [], [f"has {len(row)} fields, not {self._width}"]
        fields, reasons = [], {}
        for target, index in self._targets:
            try:
                fields.append(target.convert[row[index]])
            except ValueError as error:  # once for a column and what is derived from it
                reasons[target.origin] = f"{target.origin} {error}"
        return fields, list(reasons.values())


def _joined(rows: Iterable[Sequence[str]]) -> bytes:
    lines = "\n".join(map("\t".join, rows))
    return lines.encode() + b"\n" if lines else b""


def _check_header(schema: Schema, header: Sequence[str]) -> None:
    missing = [name for name in schema.needed if name not in header]
    unknown = [name for name in header if name not in schema.needed and name not in schema.ignored]
    twice = sorted({name for name in header if header.count(name) > 1})
    found = {"missing": missing, "unknown": unknown, "given twice": twice}
    problems = [f"{problem}: {', '.join(names)[:1000]}" for problem, names in found.items() if names]
    if problems:
        raise PermanentError(f"these are not the columns of {schema.dataset}; {'; '.join(problems)}".replace("\0", "?"))


def _check_kinds(schema: Schema, kinds: Mapping[str, str]) -> None:
    expected = {target.origin: target.kind for target in schema.targets if target.origin == target.name}
    wrong = [
        f"{name} holds {kinds[name]}, not {kind}"
        for name, kind in expected.items()
        if name in kinds and kinds[name] not in _FITTING[kind]
    ]
    if wrong:
        raise PermanentError(f"the columns of {schema.dataset} have wrong types: {'; '.join(wrong)}")
