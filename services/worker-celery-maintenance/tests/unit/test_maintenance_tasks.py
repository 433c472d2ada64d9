"""The tasks' contracts, their limits and the schedule; what processors may import; what the README says."""

import subprocess
import sys
from pathlib import Path

import pytest

import celeryconfig
from app.config import Settings
from app.processors.cleanup_processor import CleanupReport
from app.tasks import maintenance
from workerkit.errors import InvalidPayload
from workerkit.settings import WorkerSettings
from workerkit.task import WorkerTask

SERVICE = Path(__file__).parents[2]
README = (SERVICE / "README.md").read_text()
TASKS = {name: task for name, task in vars(maintenance).items() if isinstance(task, WorkerTask)}
PROCESSORS = [f"app.processors.{file.stem}" for file in (SERVICE / "app" / "processors").glob("*.py")]
PROGRAM = f"""
import importlib, sys
for module in {PROCESSORS!r}:
    importlib.import_module(module)
print(sorted({{"celery", "kombu", "app.tasks"}} & set(sys.modules)))
"""


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"cleanup"}))
@pytest.mark.parametrize("days", [0, -1, 36_501, "soon", None])
def test_an_age_is_a_number_of_days_from_1(name, days):
    with pytest.raises(InvalidPayload, match="days"):
        TASKS[name](days=days)


def test_all_that_cleanup_does_is_in_its_report():
    assert maintenance._steps().keys() == CleanupReport.model_fields.keys()


def test_no_limit_reaches_the_visibility_timeout():
    for task in TASKS.values():
        assert 0 < task.soft_time_limit < task.time_limit < 3600


def test_the_schedule_sends_a_task_that_exists_on_sundays_at_two():
    entry = celeryconfig.beat_schedule["weekly-cleanup"]
    assert entry["task"] == maintenance.cleanup.name
    schedule = entry["schedule"]
    assert (schedule.day_of_week, schedule.hour, schedule.minute) == ({0}, {2}, {0})


def test_processors_import_no_celery():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=SERVICE, check=True, text=True, capture_output=True)
    assert done.stdout == "[]\n"


def test_the_readme_names_every_setting():
    own = Settings.model_fields.keys() - WorkerSettings.model_fields.keys()
    missing = [name for name in own if f"`{name.upper()}`" not in README]
    assert missing == []


def test_the_readme_names_every_task_with_its_parameters():
    for task in TASKS.values():
        line = next(line for line in README.splitlines() if f"`{task.name}`" in line)
        assert [name for name in task.contract.parameters if f"`{name}`" not in line] == []
