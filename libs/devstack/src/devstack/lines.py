"""Lines of a file that another program is still writing."""

from pathlib import Path


def whole_lines(file: Path) -> list[str]:
    """Read the lines that are written to their end; none if there is no file.

    A reader sees the first part of a line alone when the line crosses a page of the file, though it was written by one
    system call.
    """
    if not file.exists():
        return []
    return file.read_text(errors="replace").rpartition("\n")[0].splitlines()
