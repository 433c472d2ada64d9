"""Brings the tables of a database to a revision: waits for the server, and lets one process at a time change them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from datastore.schema import metadata

SCRIPTS = Path(__file__).parent / "migrations"
WAIT_SECONDS = 60.0  # for the server to come up
LOCK_SECONDS = 600.0  # for another process that migrates
_LOCK = 0x6461746173746F72  # "datastor": PostgreSQL's advisory locks have a number of 64 bits for a name
_POLL_SECONDS = 0.25
_TRANSIENT = ("starting up", "shutting down", "recovery", "too many clients", "remaining connection slots")


class MigrationError(RuntimeError):
    """The database could not be migrated; the message says what to do."""


class Migrator:
    """Alembic for one database.

    Args:
        url: of the database, with the password.
        wait_seconds: how long to wait for the server to come up.
    """

    def __init__(self, url: URL, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._url = url
        self._wait_seconds = wait_seconds
        # No pool: a closed connection is closed, so that the lock is free as soon as its holder is done or dead.
        self._engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 5})

    def upgrade(self, revision: str = "head") -> str | None:
        """Apply all revisions up to `revision`; nothing happens if they are applied already.

        Returns:
            The database's revision before that.

        Raises:
            MigrationError: the server is away, the lock is not free, or a revision does not exist.
        """
        with self._locked() as connection:
            before = _revision(connection)
            with _teaching_errors():
                command.upgrade(_config(connection), revision)
            return before

    def downgrade(self, revision: str) -> str | None:
        """Take back all revisions after `revision`, and with them the data of their tables; "base" is all of them.

        Returns:
            The database's revision before that.

        Raises:
            MigrationError: the server is away, the lock is not free, or the revision does not exist.
        """
        with self._locked() as connection:
            before = _revision(connection)
            with _teaching_errors():
                command.downgrade(_config(connection), revision)
            return before

    def current(self) -> str | None:
        """The database's revision; None if it has none.

        Raises:
            MigrationError: the server is away.
        """
        with self._connect() as connection:
            return _revision(connection)

    def check(self) -> list[str]:
        """What keeps the database from being what the models say; empty if it is.

        Raises:
            MigrationError: the server is away.
        """
        with self._connect() as connection:
            current, head = _revision(connection), head_revision()
            if current != head:
                return [f"the database is at {current or 'no revision'}, the newest is {head}: run the upgrade"]
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})
            return [str(difference) for difference in compare_metadata(context, metadata)]

    def write_revision(self, message: str) -> None:
        """Write the file of a new revision with what the models have and the database, at the newest one, has not.

        Raises:
            MigrationError: the server is away, or the database is not at the newest revision.
        """
        number = f"{int(head_revision() or 0) + 1:04}"
        with self._connect() as connection, _teaching_errors():
            command.revision(_config(connection), message, autogenerate=True, rev_id=number)

    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        # The lock has a connection of its own, in no transaction: it outlives those of the revisions.
        with self._connect() as holder, self._connect() as connection:
            _lock(holder.execution_options(isolation_level="AUTOCOMMIT"))
            yield connection

    def _connect(self) -> Connection:
        deadline = time.monotonic() + self._wait_seconds
        while True:
            try:
                return self._engine.connect()
            except OperationalError as error:
                reason = " ".join(str(error.orig).split())
                if _is_refusal(reason):
                    raise MigrationError(f"{self._url!r} refuses: {reason}; check DATABASE_URL") from None
                if time.monotonic() > deadline:
                    waited = f"no answer from {self._url!r} in {self._wait_seconds:.0f} s"
                    raise MigrationError(f"{waited}: {reason}; is the server up, is DATABASE_URL right?") from None
            time.sleep(_POLL_SECONDS)


def head_revision() -> str | None:
    """The newest revision that this version of the package has."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
    return config


def _revision(connection: Connection) -> str | None:
    revision = MigrationContext.configure(connection).get_current_revision()
    connection.rollback()
    return revision


def _lock(holder: Connection) -> None:
    # Asking again and again: a session that waits inside pg_advisory_lock would block CREATE INDEX CONCURRENTLY.
    deadline = time.monotonic() + LOCK_SECONDS
    while not holder.scalar(text("SELECT pg_try_advisory_lock(:name)"), {"name": _LOCK}):
        if time.monotonic() > deadline:
            raise MigrationError(f"another process has been migrating this database for {LOCK_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def _is_refusal(reason: str) -> bool:
    """Waiting does not help: the server answers, and says no."""
    return "FATAL:" in reason and not any(words in reason for words in _TRANSIENT)


@contextmanager
def _teaching_errors() -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        message = str(error).rstrip(".")
        if message.startswith("Can't locate revision"):
            message += f": this version's newest is {head_revision()}, a database at a later one needs a newer version"
        raise MigrationError(message) from error
