"""Reads and deletes rows in batches, each found by the key after the last one; needs the extra `workerkit[database]`.

Memory stays that of a batch and transactions stay short, however many rows there are. Unlike OFFSET it does not read
again what it has passed, and rows that are added or deleted meanwhile move nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVarTuple

from sqlalchemy import ColumnElement, Row, Select, delete, inspect, literal, select, tuple_
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session

Columns = TypeVarTuple("Columns")
Key = Sequence[InstrumentedAttribute[Any] | ColumnElement[Any]]
BATCH_ROWS = 1000


def in_batches(
    session: Session, statement: Select[*Columns], key: Key, size: int = BATCH_ROWS
) -> Iterator[Sequence[Row[*Columns]]]:
    """Read rows in the order of their key.

    Each row that is there from the beginning to the end comes once. The caller may commit between two batches.

    Args:
        session: as from `get_sync_db`.
        statement: what to read, without order and limit.
        key: columns that are never NULL and together unique, such as the primary key; they need not be among those
            that are read. An index on them, in this order, makes each batch cheap.
        size: rows per batch.

    Yields:
        Up to `size` rows, never none.

    Raises:
        ValueError: there is no key, it may be NULL, or `size` is not positive.
    """
    _refuse(key, size)
    ordered = statement.add_columns(*key).order_by(None).order_by(*key).limit(size)
    last: Sequence[Any] | None = None
    while True:
        found = session.execute(ordered if last is None else ordered.where(_after(key, last))).freeze()
        if not found.data:
            return
        last = found.data[-1][-len(key) :]
        complete = len(found.data) == size
        yield found().columns(*range(len(found.data[-1]) - len(key))).all()
        if not complete:
            return


def delete_in_batches(
    session: Session, model: type[DeclarativeBase], *conditions: ColumnElement[bool], size: int = BATCH_ROWS
) -> int:
    """Delete the rows that fit all conditions, in the order of the primary key; each batch is committed.

    Locks are held for one batch only. If it ends early, what was deleted stays deleted, and another call does the rest.

    Args:
        session: as from `get_sync_db`; what was done in it before is committed with the first batch.
        model: the table.
        conditions: as for `where`; at least one, because nobody empties a table by mistake twice.
        size: rows per batch.

    Returns:
        How many rows were deleted.

    Raises:
        ValueError: no condition is given, or `size` is not positive.
    """
    if not conditions:
        raise ValueError(f"delete_in_batches on {model.__name__} needs a condition; sqlalchemy.true() means every row")
    key = inspect(model).primary_key
    _refuse(key, size)
    fitting = select(*key).where(*conditions).order_by(*key).limit(size)
    last: Sequence[Any] | None = None
    deleted = 0
    while rows := session.execute(fitting if last is None else fitting.where(_after(key, last))).all():
        first, last = rows[0], rows[-1]
        # A range, which the index finds at once; the condition again, as a row may have changed since.
        batch = delete(model).where(_from(key, first), _up_to(key, last), *conditions)
        result: Any = session.execute(batch, execution_options={"synchronize_session": False})
        deleted += result.rowcount
        session.commit()
        if len(rows) < size:
            break
    return deleted


def _refuse(key: Key, size: int) -> None:
    if size < 1:
        raise ValueError(f"a batch needs at least one row, not {size}")
    nullable = [str(column) for column in key if getattr(column, "nullable", False)]
    if nullable or not key:
        problem = f"{', '.join(nullable)} may be NULL" if nullable else "it has no columns"
        raise ValueError(f"this key does not order all rows: {problem}. Use the primary key, or other unique columns")


def _after(key: Key, last: Sequence[Any]) -> ColumnElement[bool]:
    return _tuple(key) > _values(key, last)


def _from(key: Key, first: Sequence[Any]) -> ColumnElement[bool]:
    return _tuple(key) >= _values(key, first)


def _up_to(key: Key, last: Sequence[Any]) -> ColumnElement[bool]:
    return _tuple(key) <= _values(key, last)


def _tuple(key: Key) -> ColumnElement[Any]:
    return tuple_(*key)


def _values(key: Key, values: Sequence[Any]) -> ColumnElement[Any]:
    """Typed as the columns: the server would take an untyped date for text."""
    return tuple_(*(literal(value, column.type) for column, value in zip(key, values, strict=True)))
