"""What the database tasks of plain Celery do: with an engine for each task, or one for each process."""

import os
from functools import cache

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import Session

from compare.systems.record import end

ADDRESS = os.environ.get("DATABASE_URL", "")
KEYS = 100  # customers, see below
TABLES = """
CREATE TABLE customer (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer integer NOT NULL, number integer);
INSERT INTO customer SELECT number, 'customer ' || number FROM generate_series(0, 99) AS number;
"""
SELECT = text("SELECT id, name FROM customer WHERE id = :id")
INSERT = text("INSERT INTO visit (customer, number) VALUES (:customer, :number)")


def visit_with_new_engine(number: int) -> None:
    """Read a customer and note a visit by an engine that is made, and disposed of, for this."""
    engine = create_engine(ADDRESS)
    try:
        _visit(engine, number)
    finally:
        engine.dispose()


def visit_with_kept_engine(number: int) -> None:
    """The same by the engine of the process."""
    _visit(_engine(), number)


@cache
def _engine() -> Engine:  # first called in a process that runs tasks, so after the fork
    return create_engine(ADDRESS)


def _visit(engine: Engine, number: int) -> None:
    with Session(engine) as session:
        customer = session.execute(SELECT, {"id": number % KEYS}).one()
        session.execute(INSERT, {"customer": customer.id, "number": number})
        session.commit()
    end(number)
