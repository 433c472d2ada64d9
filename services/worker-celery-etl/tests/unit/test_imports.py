"""Imports point one way: whoever tests a processor needs no Celery."""

import subprocess
import sys
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
MODULES = [
    "app.messages",
    "app.rows",
    "app.adapters.sources",  # and with it all readers; those for the database need workerkit.database, which has hooks
    *(f"app.processors.{file.stem}" for file in (APP / "processors").glob("*.py")),
]
PROGRAM = f"""
import importlib, sys
for module in {MODULES!r}:
    importlib.import_module(module)
print(sorted({{"celery", "kombu", "app.tasks"}} & set(sys.modules)))
"""


def test_processors_and_readers_import_no_celery():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=APP.parent, check=True, text=True, capture_output=True)
    assert done.stdout == "[]\n"
