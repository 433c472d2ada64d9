"""The template's subject in the pools that run plain functions."""

import time

from sqlalchemy import text

from chaos.worker.application import INSERT, app
from chaos.worker.bodies import COMMON, ONCE, name_of
from chaos.worker.record import note, tally, task_id
from workerkit.database import get_sync_db
from workerkit.once import once

for _name, _body in COMMON.items():
    app.task(name=name_of(_name), ignore_result=True)(_body)
for _name in ONCE:
    app.task(name=name_of(f"{_name}_once"), ignore_result=True, idempotent=True)(COMMON[_name])
_INSERT = text(INSERT)


@app.task(name=name_of("insert"), ignore_result=True)
def insert(seconds: float) -> None:
    """Work for a while and write one row, together with the key that says that it is written."""
    note("start")
    time.sleep(seconds)
    with get_sync_db() as session:
        if once(session, f"chaos:{task_id()}"):
            session.execute(_INSERT, {"id": task_id()})
    note("end")


@app.task(name=name_of("count"), ignore_result=True)
def count(number: int, row: bool) -> None:
    """Tally instead of note, for a million tasks; some of them write a row, at once."""
    tally("start", number)
    if row:
        with get_sync_db() as session:
            if once(session, f"count:{number}"):
                session.execute(_INSERT, {"id": str(number)})
    tally("end", number)
