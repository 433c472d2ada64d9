"""The tasks' contracts, and what a worker loads at its start, without a server."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings
from app.tasks import reports
from workerkit.errors import InvalidPayload
from workerkit.settings import InvalidSettings

SERVICE = Path(__file__).parents[2]
LOADED = "import sys, app.tasks.reports; print(sorted({'celery', 'fpdf', 'matplotlib'} & set(sys.modules)))"


def test_a_worker_starts_without_what_draws():
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=SERVICE, text=True, check=True, capture_output=True)
    assert done.stdout == "['celery']\n"


def test_an_unknown_kind_is_refused_with_those_that_there_are():
    with pytest.raises(InvalidPayload, match="'daily' or 'monthly'"):
        reports.generate_report(kind="hourly", parameters={})


def test_a_wrong_recipient_is_refused():
    with pytest.raises(InvalidPayload, match="to"):
        reports.send_report(report={}, to=["nobody"])
    with pytest.raises(InvalidSettings, match="REPORT_RECIPIENTS"):
        Settings(report_recipients=[])
