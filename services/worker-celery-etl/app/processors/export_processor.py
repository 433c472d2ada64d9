"""Saves a table, or some days of it, as a file in storage."""

from collections.abc import Callable, Mapping
from datetime import date

from psycopg import sql
from sqlalchemy import Table

from app.adapters.tables import columns_of, joined
from app.messages import Dataset, SavedResults
from app.processors.schema import schema_of
from workerkit.errors import PermanentError
from workerkit.storage import Storage, Writer

_DAYS: dict[Dataset, sql.SQL] = {
    "flights": sql.SQL("day"),
    "weather": sql.SQL("(time_hour AT TIME ZONE 'America/New_York')::date"),
}
Export = Callable[[Table, sql.Composed, Writer], int]


class ExportProcessor:
    """Saves tables.

    Args:
        storage: takes the files.
        formats: by suffix; each writes what a query gives.
    """

    def __init__(self, storage: Storage, formats: Mapping[str, Export]) -> None:
        self._storage, self._formats = storage, formats

    def save(self, dataset: Dataset, destination: str, first_day: date | None, last_day: date | None) -> SavedResults:
        """Save a table in the order of its key.

        Args:
            dataset: whose table.
            destination: path in storage; its suffix decides the format.
            first_day: days of New York, both included; None is without a limit.
            last_day: see `first_day`.

        Raises:
            PermanentError: the suffix is unknown, or the dataset has no days.
            TransientError: storage or database are away.
        """
        suffix = max((name for name in self._formats if destination.endswith(name)), key=len, default=None)
        if suffix is None:
            raise PermanentError(f"{destination} must end with one of {', '.join(self._formats)}")
        table = schema_of(dataset).table
        query = _query(dataset, table, first_day, last_day)
        with self._storage.writer(destination) as writer:
            rows = self._formats[suffix](table, query, writer)
        return SavedResults(**writer.stored.model_dump(), dataset=dataset, rows=rows)


def _query(dataset: Dataset, table: Table, first_day: date | None, last_day: date | None) -> sql.Composed:
    limits = ((sql.SQL(">="), first_day), (sql.SQL("<="), last_day))
    if (first_day or last_day) and dataset not in _DAYS:
        raise PermanentError(f"{dataset} has no days; save it without first_day and last_day")
    conditions = [
        sql.SQL("{} {} {}").format(_DAYS[dataset], comparison, sql.Literal(day)) for comparison, day in limits if day
    ]
    return sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY {}").format(
        joined(columns_of(table)),
        sql.Identifier(table.name),
        sql.SQL(" AND ").join([sql.SQL("true"), *conditions]),
        joined(column.name for column in table.primary_key),
    )
