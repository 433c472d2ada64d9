"""What all tables share: the declarative base, the names of constraints and the types of columns."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from sqlalchemy import DateTime, Double, Enum, MetaData, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# A constraint without a name gets another one on each server, and then no migration can drop it.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of all models; a `datetime` is always one with a time zone, a `dict` is JSON."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        float: Double(),
        str: Text(),
        dict[str, Any]: JSONB(none_as_null=True),  # None is SQL's NULL, not JSON's null
    }


def choice(values: type[StrEnum], name: str) -> Enum:
    """The type of a column that takes only the values of an enum.

    It is text with a check constraint: unlike a SQL enum it can lose a value, and get one in any transaction.

    Args:
        values: the enum; its values are stored, not its members' names.
        name: the constraint's name within its table, that of the column.
    """
    options = {"native_enum": False, "create_constraint": True, "length": 32}
    return Enum(values, name=name, values_callable=lambda members: [member.value for member in members], **options)


class Timestamps:
    """When a row was made and last changed, by the database's clock, as the machines of the workers disagree.

    An upsert has to set `updated_at` itself: `ON CONFLICT DO UPDATE` changes only what it names.
    """

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=100)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=101)
