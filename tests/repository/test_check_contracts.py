"""`make check-contracts` finds what a change breaks since a commit, and what was changed on purpose."""

import subprocess
import sys

import pytest

from devstack.services import ROOT
from taskclient.catalog import CatalogEntry
from taskclient.contract_file import dump_contract

TEXT = {"type": "string"}


def task(name="app.tasks.shop.sell", queue="shop", result=None, **properties):
    parameters = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return CatalogEntry(
        name=name, queue=queue, service="shop", description="", parameters=parameters, result=result or {}
    )


class Repository:
    def __init__(self, root):
        self.root = root
        self.git("init", "-q")

    def git(self, *words):
        named = ["-c", "user.name=t", "-c", "user.email=t@example.com", *words]
        subprocess.run(["git", "-C", str(self.root), *named], check=True, stdout=subprocess.DEVNULL)

    def write(self, *tasks, folder="worker-celery-shop", service="shop", major=1):
        file = self.root / "services" / folder / "contract.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dump_contract(service, tasks, major=major))
        return file

    def commit(self):
        self.git("add", "-A")
        self.git("commit", "-qm", "x", "--allow-empty")

    def check(self, base="HEAD"):
        command = [sys.executable, ROOT / "scripts" / "check_contracts.py", base, "--root", str(self.root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


def test_what_accepts_as_much_passes(repository):
    repository.write(task(a=TEXT))
    repository.commit()
    repository.write(task(a={"type": ["string", "null"]}), task("app.tasks.shop.new"))
    assert repository.check()[0] == 0


def test_every_break_is_told_with_its_field(repository):
    gone, far = task("app.tasks.shop.gone"), task("app.tasks.shop.far")
    repository.write(task(a=TEXT, b=TEXT, result={"type": "object", "required": ["r"]}), gone, far)
    repository.commit()
    far = task("app.tasks.shop.far", queue="other")
    repository.write(task(a={**TEXT, "maxLength": 5}, result={"type": "object"}), far)
    code, said = repository.check()
    assert code == 1
    assert "argument a: maxLength is 5" in said
    assert "argument b: is not accepted any more" in said
    assert "result r: must be given, as callers know it" in said
    assert "the task is gone" in said
    assert "its queue is other instead of shop" in said
    assert "service_major" in said


def test_a_new_major_version_and_a_removed_service_are_on_purpose(repository):
    file = repository.write(task(a=TEXT))
    repository.commit()
    repository.write(task(), major=2)
    code, said = repository.check()
    assert code == 0
    assert "argument a: is not accepted any more" in said
    file.unlink()
    assert repository.check()[0] == 0


def test_a_task_may_move_to_another_service(repository):
    file = repository.write(task(a=TEXT))
    repository.commit()
    file.unlink()
    repository.write(task(a=TEXT), folder="worker-celery-other", service="other")
    assert repository.check() == (0, repository.check()[1])
    assert "gone" not in repository.check()[1]


def test_a_commit_without_contracts_breaks_nothing_and_an_unknown_one_is_told(repository):
    repository.commit()
    repository.write(task())
    assert repository.check()[0] == 0
    code, said = repository.check("no-such-branch")
    assert (code, "no-such-branch" in said or "rev-parse" in said) == (2, True)
    repository.write(task()).write_text("{")
    assert repository.check()[0] == 2
