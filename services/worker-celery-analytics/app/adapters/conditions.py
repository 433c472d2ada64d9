"""Turns a rule's condition into a SQL expression; values only ever become bound parameters."""

import operator
from collections.abc import Callable
from typing import Any, get_args

from sqlalchemy import ColumnElement, Double, and_, cast, false, func, not_, or_

from app.rules import All, AnyOf, Comparison, Condition, Not, TextField
from datastore.flights import Flight, Weather

_OPERATORS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": lambda column, values: column.in_(values),
    "missing": lambda column, is_missing: column.is_(None) if is_missing else column.is_not(None),
}


def sql(condition: Condition) -> ColumnElement[bool]:
    """The expression of a condition on `flights` with its `weather`; it is true or false, never NULL."""
    match condition:
        case All(all=parts):
            return and_(*map(sql, parts))
        case AnyOf(any=parts):
            return or_(*map(sql, parts))
        case Not(condition=part):
            return not_(sql(part))
        case Comparison():
            # A missing value makes a comparison false, and not NULL, of which NOT would be NULL again.
            return func.coalesce(_OPERATORS[condition.op](_column(condition.field), condition.value), false())


def _column(field: str) -> ColumnElement[Any]:
    column: ColumnElement[Any] = getattr(Flight, field, None) or getattr(Weather, field)
    # Parameters take the type of what they are compared with: as one of SMALLINT, 30.5 would be rounded to 30.
    return column if field in get_args(TextField) else cast(column, Double)
