"""`contract.json`: what a service's workers publish, as a file beside its code, for review and for callers offline."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from taskclient.catalog import CatalogEntry

NAME: Final = "contract.json"
_OF_THE_SERVICE: Final = {"service", "owner", "major"}
_OF_AN_IMAGE: Final = {"version"}


class UnreadableContract(ValueError):
    """The file, or a part of it, is no contract; says which and why."""


class _File(BaseModel):
    service: str
    owner: str = ""
    major: int = 1
    tasks: list[dict[str, Any]]


def dump_contract(service: str, entries: Iterable[CatalogEntry], *, owner: str = "", major: int = 1) -> str:
    """The text of a service's file: the same for the same contracts, whatever image they come from.

    Args:
        service: as in `email`.
        entries: all of its tasks.
        owner: who answers for it.
        major: its major version.
    """
    listed = sorted(entries, key=lambda entry: entry.name)
    tasks = [entry.model_dump(mode="json", exclude=_OF_THE_SERVICE | _OF_AN_IMAGE) for entry in listed]
    file = {"service": service, "owner": owner, "major": major, "tasks": tasks}
    return json.dumps(file, indent=2, ensure_ascii=False) + "\n"


def parse_contract(text: str, where: str) -> list[CatalogEntry]:
    """The contracts in a file's text.

    Args:
        text: of the file.
        where: its name, for the error.

    Raises:
        UnreadableContract: it is no such file.
    """
    try:
        file = _File.model_validate_json(text)
        shared = {"service": file.service, "owner": file.owner, "major": file.major}
        return [CatalogEntry(**shared, **task) for task in file.tasks]
    except (ValidationError, TypeError) as error:
        raise UnreadableContract(f"{where} is no {NAME} as `make contracts` writes it: {error}") from error


def contract_files(path: Path) -> list[Path]:
    """The files that a path means: itself, or a folder's `contract.json` and those of the folders in it.

    Raises:
        UnreadableContract: there is none.
    """
    found = [path] if path.is_file() else sorted([*path.glob(NAME), *path.glob(f"*/{NAME}")])
    if not found:
        raise UnreadableContract(f"{path} is no {NAME}, and no folder in which there is one, such as services/.")
    return found


def read_contracts(paths: Sequence[Path]) -> list[CatalogEntry]:
    """The contracts of some files and folders, sorted by name.

    Raises:
        UnreadableContract: a path has none, one cannot be read, or two describe the same task.
    """
    entries: dict[str, CatalogEntry] = {}
    for file in (file for path in paths for file in contract_files(path)):
        for entry in parse_contract(file.read_text(encoding="utf-8"), str(file)):
            if entry.name in entries:
                raise UnreadableContract(f"{file}: another file describes {entry.name} as well.")
            entries[entry.name] = entry
    return [entries[name] for name in sorted(entries)]
