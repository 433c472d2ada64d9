"""The README names every setting and every task."""

from pathlib import Path

from app.config import Settings
from app.tasks import etl
from workerkit.storage import StorageSettings
from workerkit.task import WorkerTask

README = (Path(__file__).parents[2] / "README.md").read_text()


def test_every_setting():
    own = Settings.model_fields.keys() - StorageSettings.model_fields.keys()
    assert [name for name in own if f"`{name.upper()}`" not in README] == []


def test_every_task_with_its_parameters():
    for task in vars(etl).values():
        if isinstance(task, WorkerTask):
            line = next(line for line in README.splitlines() if f"`{task.name}`" in line)
            assert [name for name in task.contract.parameters if f"`{name}`" not in line] == []
