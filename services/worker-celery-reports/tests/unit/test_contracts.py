"""The tasks' contracts, the README and what a worker loads at its start, without a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from app.tasks import reports
from workerkit.errors import InvalidPayload
from workerkit.settings import InvalidSettings, WorkerSettings
from workerkit.task import WorkerTask

SERVICE = Path(__file__).parents[2]
README = (SERVICE / "README.md").read_text()
LOADED = "import sys, {module}; print(sorted({{'celery', 'fpdf', 'matplotlib'}} & set(sys.modules)))"


def loaded(module):
    code = LOADED.format(module=module)
    return subprocess.run([sys.executable, "-c", code], cwd=SERVICE, text=True, check=True, capture_output=True).stdout


def test_a_worker_starts_without_what_draws():
    assert loaded("app.tasks.reports") == "['celery']\n"


def test_processors_import_no_celery():
    assert loaded("app.processors.report_processor, app.processors.dispatch") == "[]\n"


def test_the_readme_names_every_setting_and_every_task_with_its_parameters():
    own = Settings.model_fields.keys() - WorkerSettings.model_fields.keys()
    assert [name for name in own if f"`{name.upper()}`" not in README] == []
    for task in vars(reports).values():
        if isinstance(task, WorkerTask):
            line = next(line for line in README.splitlines() if f"`{task.name}`" in line)
            assert [name for name in task.contract.parameters if f"`{name}`" not in line] == []


def test_an_unknown_kind_is_refused_with_those_that_there_are():
    with pytest.raises(InvalidPayload, match="'daily' or 'monthly'"):
        reports.generate_report(kind="hourly", parameters={})


def test_a_wrong_recipient_is_refused():
    with pytest.raises(InvalidPayload, match="to"):
        reports.send_report(report={}, to=["nobody"])
    with pytest.raises(InvalidSettings, match="REPORT_RECIPIENTS"):
        Settings(report_recipients=[])
