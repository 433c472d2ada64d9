"""The `tasks` command; says what to install when the command line's own packages are missing."""

import logging
import sys


def main() -> None:
    """Run the command line and exit with its code, see `tasks --help`."""
    try:
        from taskclient.cli_app import app  # noqa: PLC0415 - typer and rich are an extra
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        if missing not in {"typer", "rich"}:
            raise
        print(f"The tasks command needs {missing}: pip install 'taskclient[cli]'", file=sys.stderr)
        sys.exit(2)
    # Python would write warnings to stderr, where this command writes one clear line.
    logging.getLogger("taskclient").addHandler(logging.NullHandler())
    app()
