"""Takes a few rows from a message: the good ones are loaded in one transaction, the others are named."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Table

from app.adapters.json_reader import row_of
from app.messages import BatchReport, Dataset, RejectedItem
from app.processors.schema import schema_of
from app.processors.validator import Validator
from app.rows import Batch, Checked, Rejected, Row

_SHOWN = 100  # rejections, so that the report fits a message
Load = Callable[[Table, Checked], tuple[int, list[Rejected]]]


class BatchProcessor:
    """Loads batches.

    Args:
        load: upserts rows; returns how many were new or different, and those whose key an earlier row has.
    """

    def __init__(self, load: Load) -> None:
        self._load = load

    def process(self, dataset: Dataset, rows: Sequence[dict[str, Any]]) -> BatchReport:
        """Load the rows; a column that a row does not have is NULL.

        Raises:
            TransientError: the database is away.
        """
        schema = schema_of(dataset)
        header = [*schema.needed, *sorted(schema.ignored - set(schema.needed))]
        checked = Validator(schema, header).check(_batch(rows, header))
        changed, duplicates = self._load(schema.table, checked)
        rejected = sorted([*checked.rejected, *duplicates])
        return BatchReport(
            dataset=dataset,
            loaded=checked.good - len(duplicates),
            changed=changed,
            rejected=len(rejected),
            rejections=[RejectedItem(index=row.line - 1, reason=row.reason[:300]) for row in rejected[:_SHOWN]],
        )


def _batch(rows: Sequence[dict[str, Any]], header: Sequence[str]) -> Batch:
    found, lines, broken = list[Row](), list[int](), list[Rejected]()
    for line, row in enumerate(rows, 1):
        try:
            found.append(row_of(row, header))
            lines.append(line)
        except ValueError as error:
            broken.append(Rejected(line, str(error), b""))
    return Batch(found, lines, [b""] * len(found), len(rows), 1.0, broken)
