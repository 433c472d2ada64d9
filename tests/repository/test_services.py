"""Every worker keeps the house's rules: imports point one way, and the README names its tasks and settings."""

import functools
import json
import os
import subprocess
import sys

import pytest

from devstack.services import discover

WORKERS = {service.name: service.folder for service in discover() if service.name.startswith("worker-")}
# Not used, but read at the import of a service with tables.
ENVIRONMENT = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
PROCESSORS = """
import importlib, json, pathlib, sys
for file in pathlib.Path("app/processors").glob("*.py"):
    importlib.import_module(f"app.processors.{file.stem}")
print(json.dumps(sorted({"celery", "kombu", "app.tasks", "app.celery_app"} & set(sys.modules))))
"""
CONTRACTS = """
import json
from app.celery_app import app
from app.config import Settings
from workerkit.settings import WorkerSettings
app.loader.import_default_modules()
tasks = {task.name: task.contract.parameters for task in app.tasks.values() if getattr(task, "contract", None)}
settings = sorted(Settings.model_fields.keys() - WorkerSettings.model_fields.keys())
print(json.dumps({"tasks": tasks, "settings": settings}))
"""


def python(folder, code):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@functools.cache
def contracts(name):
    return python(WORKERS[name], CONTRACTS)


@pytest.mark.parametrize("name", WORKERS)
def test_processors_need_no_celery(name):
    assert python(WORKERS[name], PROCESSORS) == []


@pytest.mark.parametrize("name", WORKERS)
def test_the_readme_names_every_setting(name):
    readme = (WORKERS[name] / "README.md").read_text()
    assert [setting for setting in contracts(name)["settings"] if f"`{setting.upper()}`" not in readme] == []


@pytest.mark.parametrize("name", WORKERS)
def test_the_readme_names_every_task_with_its_parameters(name):
    lines = (WORKERS[name] / "README.md").read_text().splitlines()
    tasks = contracts(name)["tasks"]
    assert tasks
    for task, parameters in tasks.items():
        line = next((line for line in lines if line.startswith("|") and f"`{task}`" in line), None)
        assert line, f"{task} is not in the README"
        assert [parameter for parameter in parameters if f"`{parameter}`" not in line] == []
