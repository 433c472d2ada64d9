"""The console examples of a document: commands after `$ `, below each the lines it prints, `...` for any text."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(console|sh|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """One console block.

    Args:
        commands: pairs of a command and what it prints.
    """

    commands: list[tuple[str, str]]

    def run(self, folder: Path, env: Mapping[str, str], timeout: float = 300) -> None:
        """Run all commands in one shell, so that an `export` counts for the next, and compare what they print.

        Raises:
            AssertionError: a command failed, or printed something else.
        """
        mark = "----- end of command -----"
        script = "".join(f"{command}\necho '{mark}'\n" for command, _ in self.commands)
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"exit code {done.returncode}:\n{done.stdout}")
        for (command, expected), printed in zip(self.commands, done.stdout.split(f"{mark}\n"), strict=False):
            if not _fits(expected, printed):
                raise AssertionError(f"{command}\nshould print:\n{expected}\nbut printed:\n{printed}")


def console_examples(document: Path) -> list[Example]:
    """The `console` blocks of a Markdown document."""
    return [Example(_commands(body)) for kind, body in _BLOCK.findall(document.read_text()) if kind == "console"]


def blocks(document: Path, kind: str) -> list[str]:
    """The bodies of all `sh` or `python` blocks of a Markdown document."""
    return [body for found, body in _BLOCK.findall(document.read_text()) if found == kind]


def _commands(body: str) -> list[tuple[str, str]]:
    commands: list[tuple[str, str]] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], ""))
        else:
            command, printed = commands[-1]
            commands[-1] = (command, f"{printed}{line}\n")
    return commands


def _fits(expected: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in expected.strip().split("..."))
    return not expected or re.search(pattern, printed, re.DOTALL) is not None
