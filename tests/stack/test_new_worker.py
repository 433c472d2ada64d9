"""`make new-worker` to an answered task, and `make remove-worker` without a trace, in a copy of the repository."""

import shutil
import subprocess
import sys

import pytest

from devstack.services import ROOT, discover
from devstack.stack import Stack

WORKER = "worker-celery-billing-eu2"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    root = tmp_path_factory.mktemp("repository") / "copy"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, files.stdout.split("\0")):
        if (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    (root / ".gitignore").write_text((root / ".gitignore").read_text() + ".venv\n")
    for words in (["init", "-q"], ["add", "-A"], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    return root


def script(root, name, *arguments):
    words = [sys.executable, f"scripts/{name}.py", *arguments]
    return subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)


def status(root):
    return subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True, check=True).stdout


def test_a_worker_is_made_answers_a_task_and_is_removed(copy, tmp_path):
    made = script(copy, "new_worker", "billing-eu2")
    assert made.returncode == 0, made.stdout + made.stderr
    assert "4 passed, 0 failed, 0 skipped" in made.stdout
    assert "Next:" in made.stdout
    subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=copy, check=True)
    contracts = script(copy, "contracts", "--check")
    assert contracts.returncode == 0, contracts.stderr
    assert WORKER in {service.name for service in discover(copy)}
    with Stack(tmp_path, only={WORKER}, root=copy) as stack, stack.client() as client:
        assert client.send("app.tasks.billing_eu2.process", numbers=[1, 2]).result(60) == {"total": 3}
    removed = script(copy, "remove_worker", "billing-eu2")
    assert removed.returncode == 0, removed.stderr
    assert status(copy) == ""


def test_nothing_is_overwritten(copy):
    refused = script(copy, "new_worker", "email")
    assert refused.returncode == 2
    assert "nothing was changed" in refused.stderr
    assert status(copy) == ""


def test_own_work_is_not_removed_without_force(copy):
    assert script(copy, "new_worker", "billing").returncode == 0
    own = copy / "services/worker-celery-billing/app/processors/billing_processor.py"
    own.write_text(own.read_text() + "\nWORK = 1\n")
    refused = script(copy, "remove_worker", "billing")
    assert refused.returncode == 2
    assert "billing_processor.py" in refused.stderr
    assert own.exists()
    assert script(copy, "remove_worker", "billing", "--force").returncode == 0
    assert status(copy) == ""


def test_what_is_not_there_is_not_removed(copy):
    refused = script(copy, "remove_worker", "nothing")
    assert refused.returncode == 2
    assert "there is no services/worker-celery-nothing" in refused.stderr
