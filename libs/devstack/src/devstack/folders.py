"""Folders for the data and logs of a run, below `.stack`."""

import shutil
import tempfile
import time
from pathlib import Path

from devstack.services import ROOT

_KEEP = 10


def new_folder(purpose: str) -> Path:
    """Make an empty folder for one run, and remove all but the last ten of this purpose."""
    parent = ROOT / ".stack"
    parent.mkdir(exist_ok=True)
    for old in sorted(parent.glob(f"{purpose}-*"))[: -_KEEP + 1]:
        shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=time.strftime(f"{purpose}-%Y%m%d-%H%M%S-"), dir=parent))
