"""Migrations on the command line: `python -m datastore.migrate upgrade`, safe to run from several places at once."""

import argparse
import sys
from collections.abc import Sequence

from datastore.address import InvalidAddress, database_url
from datastore.migrator import MigrationError, Migrator

_NONE = "no revision"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command on the database of `DATABASE_URL`.

    Returns:
        The exit code: 0, or 1 with a message on stderr.
    """
    options = _parser().parse_args(arguments)
    try:
        code, message = _run(options)
    except (InvalidAddress, MigrationError) as error:
        code, message = 1, str(error)
    (sys.stderr if code else sys.stdout).write(f"{message}\n")
    return code


def _run(options: argparse.Namespace) -> tuple[int, str]:
    migrator = Migrator(database_url())
    match options.command:
        case "upgrade":
            return 0, _moved(migrator.upgrade(options.revision), migrator.current())
        case "downgrade":
            return 0, _moved(migrator.downgrade(options.revision), migrator.current())
        case "current":
            return 0, migrator.current() or _NONE
        case "check":
            differences = migrator.check()
            return (1, "\n".join(differences)) if differences else (0, "the database is what the models say")
        case _:
            migrator.write_revision(options.message)
            return 0, "read it before you commit it: checks and new names of columns are not found"


def _moved(before: str | None, after: str | None) -> str:
    return f"{before or _NONE} -> {after or _NONE}" if before != after else f"already at {after or _NONE}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m datastore.migrate", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    upgrade = commands.add_parser("upgrade", help="apply revisions")
    upgrade.add_argument("revision", nargs="?", default="head")
    downgrade = commands.add_parser("downgrade", help="take revisions back, and with them the data of their tables")
    downgrade.add_argument("revision", help='the one to go back to; "base" for none')
    commands.add_parser("current", help="show the database's revision")
    commands.add_parser("check", help="say whether the database is what the models say")
    revision = commands.add_parser("revision", help="write a new revision with what the models have changed")
    revision.add_argument("message")
    return parser


if __name__ == "__main__":
    sys.exit(main())
