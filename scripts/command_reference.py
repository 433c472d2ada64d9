"""Writes docs/reference/tasks-command.md from the help of the `tasks` command itself."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from taskclient.cli_app import app
from taskclient.cli_errors import CODES

ROOT = Path(__file__).resolve().parents[1]
FILE = Path("docs", "reference", "tasks-command.md")
_HEAD = """\
# The `tasks` command

<!-- Written by `make docs` from the command's own help. -->

{about}

`pip install 'taskclient[cli]'` brings it. `tasks --install-completion` has the shell complete commands, options, and
the names of tasks, queues, services and schedules. Names come from the catalog, or from the files that `TASK_CONTRACTS`
names; if neither can be read at once, none are offered.

| exit code | means |
|---|---|
{codes}

Every command has `--json`, for programs: one line of JSON on stdout. Errors are one line on stderr, and one more for
each wrong field. Every command has `--broker URL` (`TASK_BROKER_URL`), and those that read results have `--results URL`
(`TASK_RESULT_URL`); the password for Redis may stand in the URLs or in `REDIS_PASSWORD`.
"""
_COMMON = {"--help", "--json", "--broker", "--results"}


def text() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in CODES.items())
    about, _ = _parts(root.help)
    sections = [_HEAD.format(about="\n\n".join(about), codes=codes)]
    sections += [_section(path, command) for path, command in _commands(root, "tasks")]
    return "\n".join(sections)


def main() -> int:
    """Write the page, or with --check only say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help=f"write nothing; exit 1 if {FILE} is not up to date")
    check = parser.parse_args().check
    file, after = ROOT / FILE, text()
    if check and (not file.exists() or file.read_text() != after):
        print(f"{FILE} is not up to date: run make docs", file=sys.stderr)
        return 1
    if not check:
        file.write_text(after)
    return 0


def _commands(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All commands with their whole names, in the order of the help; a group that does something itself comes first."""
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        yield whole, command
        yield from _commands(command, whole) if hasattr(command, "commands") else ()


def _section(path: str, command: Any) -> str:
    context = command.context_class(command, info_name=path, terminal_width=1000, max_content_width=1000)
    about, examples = _parts(command.help)
    parts = [f"## `{path}`", f"```text\n{command.get_usage(context).removeprefix('Usage: ')}\n```", about[0]]
    if examples:
        parts.append("```sh\n" + "\n".join(examples) + "\n```")
    parts += about[1:]
    own = [one for one in command.get_params(context) if not _COMMON & set(one.opts)]
    rows = [
        f"| `{record[0]}` | {record[1].replace('<', '&lt;')} |"
        for one in own
        if (record := one.get_help_record(context))
    ]
    if rows:
        parts.append("\n".join(["| argument or option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _parts(help_text: str) -> tuple[list[str], list[str]]:
    """The paragraphs of a help text, and the lines of its examples."""
    about, examples = [], []
    for paragraph in help_text.split("\n\n"):
        if paragraph.startswith("\b\nExamples:\n"):
            examples = [line.strip() for line in paragraph.splitlines()[2:]]
        elif paragraph.startswith("\b\n"):
            about.append("```text\n" + paragraph.removeprefix("\b\n") + "\n```")
        else:
            about.append(re.sub(r"\s+", " ", paragraph).strip().replace("<", "&lt;"))
    return about, examples


if __name__ == "__main__":
    sys.exit(main())
