"""A PostgreSQL for one side whose table shows each row that is written twice."""

import shutil
import threading
import time

from sqlalchemy import make_url

from chaos.servers import memory_folder
from chaos.subjects import Side
from datastore.migrator import Migrator
from devstack.postgres import Postgres

_ONE_MIGRATION = threading.Lock()  # Alembic keeps in global variables what it works on


class Effects:
    """Starts the server, with the tables of the services and one for the effects, which has no unique key.

    Args:
        side: whose tasks write there; it ends the server.
    """

    def __init__(self, side: Side) -> None:
        self._side = side
        folder = memory_folder(side.folder)
        side.when_closed.append(lambda: shutil.rmtree(folder, ignore_errors=True))
        self.server = Postgres(folder / "postgres")
        side.own(self.server)
        with _ONE_MIGRATION:
            Migrator(make_url(self.server.url)).upgrade()
        with self.server.database("postgres").connect() as connection:
            connection.execute("CREATE TABLE effect (task_id text)")
        self.env = {"DATABASE_URL": self.server.url}

    def count(self) -> int:
        """Enter the rows in the side's ledger, as effects; says how many tasks have one."""
        query = "SELECT task_id, count(*) FROM effect GROUP BY task_id"
        with self.server.database("postgres").connect() as connection:
            for task_id, rows in connection.execute(query).fetchall():
                for _ in range(rows):
                    self._side.ledger.add("effect", task_id, time.monotonic())
        return len(self._side.ledger.effects)

    def totals(self) -> tuple[int, int]:
        """How many tasks have a row, and how many more rows there are."""
        with self.server.database("postgres").connect() as connection:
            row = connection.execute("SELECT count(DISTINCT task_id), count(*) FROM effect").fetchone() or (0, 0)
        return row[0], row[1] - row[0]
