"""Imports point one way: whoever tests a processor needs no Celery."""

import subprocess
import sys
from pathlib import Path

APP = Path(__file__).parents[2] / "app"
MODULES = [
    "app.messages",
    *(f"app.{kind}.{file.stem}" for kind in ("processors", "adapters") for file in (APP / kind).glob("*.py")),
]
PROGRAM = f"""
import importlib, sys
for module in {MODULES!r}:
    importlib.import_module(module)
print(sorted({{"celery", "kombu", "app.tasks"}} & set(sys.modules)))
"""


def test_processors_and_adapters_import_no_celery():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=APP.parent, check=True, text=True, capture_output=True)
    assert done.stdout == "[]\n"
