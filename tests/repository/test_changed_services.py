"""`make changed` names every service whose image changes, and no other: shown on a real git repository."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/changed_services.py"
REQUIREMENTS = {
    "beat": "# its scheduler\n./libs/workerkit\n",
    "gateway": "./libs/taskclient[cli]\nhttpx\n",
    "worker-celery-email": "./libs/workerkit\n./libs/taskclient\njinja2  # not ./libs/datastore\n",
}
ALL = list(REQUIREMENTS)
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


class Repository:
    """A small copy of this repository's shape, with git's own settings kept out."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=self.root, env=ENVIRONMENT, check=True, capture_output=True, text=True
        ).stdout.strip()

    def write(self, name: str, text: str = "changed\n") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")
        return self.git("rev-parse", "HEAD")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), "--root", str(self.root), *arguments]
        return subprocess.run(command, env=ENVIRONMENT, check=False, capture_output=True, text=True)

    def changed(self, *arguments: str) -> list[str]:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 1, "CI takes the output as one line"
        names: list[str] = json.loads(done.stdout)
        return names


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = Repository(tmp_path_factory.mktemp("original"))
    made.git("init", "--quiet", "--initial-branch", "main", "--template=")
    for service, requirements in REQUIREMENTS.items():
        made.write(f"services/{service}/Dockerfile", "FROM scratch\n")
        made.write(f"services/{service}/requirements.in", requirements)
        made.write(f"services/{service}/app/celery_app.py", "app = 1\n")
    for shared in (".dockerignore", ".github/workflows/images.yml", "scripts/requirements/build.txt"):
        made.write(shared, "first\n")
    made.write("services/compose.base.yml", "services: {}\n")
    made.write("libs/workerkit/src/workerkit/app.py", "made = 1\n")
    made.commit()
    return made.root


@pytest.fixture
def repository(original: Path, tmp_path: Path) -> Repository:
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    return Repository(tmp_path)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("services/beat/app/celery_app.py", ["beat"]),
        ("services/beat/Dockerfile", ["beat"]),
        ("services/worker-celery-email/app/a name with ümlaut.txt", ["worker-celery-email"]),
        ("services/worker-celery-email/tests/unit/test_tasks.py", []),
        ("services/worker-celery-email/README.md", []),
        ("services/compose.base.yml", []),
        ("libs/workerkit/src/workerkit/app.py", ["beat", "worker-celery-email"]),
        ("libs/taskclient/pyproject.toml", ["gateway", "worker-celery-email"]),
        ("libs/workerkit/tests/unit/test_app.py", []),
        ("libs/datastore/src/datastore/tables.py", []),
        ("libs/workerkit_extra/pyproject.toml", []),
        ("docs/quickstart.md", []),
        ("Makefile", []),
        (".dockerignore", ALL),
        ("scripts/requirements/build.txt", ALL),
        ("scripts/requirements/dev.txt", []),
        (".github/workflows/images.yml", ALL),
        (".github/workflows/checks.yml", []),
    ],
)
def test_a_changed_file_names_the_services_built_from_it(
    repository: Repository, file: str, expected: list[str]
) -> None:
    repository.write(file)
    assert repository.changed("HEAD") == expected


def test_a_change_counts_after_its_commit_as_before(repository: Repository) -> None:
    base = repository.git("rev-parse", "HEAD")
    repository.write("services/beat/app/celery_app.py")
    repository.write("services/gateway/app/new.py")
    assert repository.changed(base) == ["beat", "gateway"]
    repository.commit()
    assert repository.changed(base) == ["beat", "gateway"]
    assert repository.changed("HEAD") == []


def test_a_base_can_be_a_branch_or_a_tag(repository: Repository) -> None:
    repository.git("tag", "--annotate", "v1.0.0", "--message", "First")
    repository.git("switch", "--quiet", "--create", "topic")
    repository.write("services/beat/celeryconfig.py")
    repository.commit()
    assert repository.changed("main") == repository.changed("v1.0.0") == ["beat"]


def test_a_file_that_moves_changes_both_services(repository: Repository) -> None:
    (repository.root / "services/beat/app/celery_app.py").rename(repository.root / "services/gateway/app/main.py")
    repository.commit()
    assert repository.changed("HEAD^") == ["beat", "gateway"]


def test_a_new_service_counts_and_a_removed_one_does_not(repository: Repository) -> None:
    repository.write("services/worker-celery-new/Dockerfile")
    repository.git("rm", "-r", "--quiet", "services/beat")
    repository.commit()
    assert repository.changed("HEAD^") == ["worker-celery-new"]


def test_a_new_dependency_on_a_library_counts(repository: Repository) -> None:
    repository.write("services/beat/requirements.in", "./libs/datastore\n")
    repository.write("libs/datastore/pyproject.toml")
    repository.commit()
    repository.write("libs/datastore/src/datastore/tables.py")
    assert repository.changed("HEAD") == ["beat"]


def test_a_service_without_requirements_counts_for_its_own_files_only(repository: Repository) -> None:
    repository.write("services/proxy/Dockerfile")
    repository.commit()
    repository.write("libs/workerkit/src/workerkit/app.py")
    assert repository.changed("HEAD") == ["beat", "worker-celery-email"]
    assert repository.changed("HEAD^") == ["beat", "proxy", "worker-celery-email"]


def test_all_prints_every_service(repository: Repository) -> None:
    assert repository.changed("--all") == ALL


@pytest.mark.parametrize("base", ["0" * 40, "1234567890" * 4, "no-such-branch", ""])
def test_an_unknown_base_counts_as_everything_changed_and_says_so(repository: Repository, base: str) -> None:
    """A first push has no commit before it, and a forced push replaces one that a fresh clone does not have."""
    done = repository.run(base)
    assert json.loads(done.stdout) == ALL
    assert base in done.stderr
    assert "every service" in done.stderr


def test_a_base_is_never_taken_for_an_option_of_git(repository: Repository) -> None:
    assert repository.changed("--", "--help") == ALL


def test_a_commit_that_a_shallow_clone_lacks_counts_as_unknown(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.write("services/beat/app/celery_app.py")
    repository.commit()
    clone = Repository(tmp_path_factory.mktemp("clone"))
    repository.git("clone", "--quiet", "--depth=1", repository.root.as_uri(), str(clone.root))
    assert clone.changed(first) == ALL


@pytest.mark.parametrize("arguments", [[], ["HEAD", "--all"]])
def test_what_makes_no_sense_is_refused(repository: Repository, arguments: list[str]) -> None:
    assert repository.run(*arguments).returncode == 2


def test_help_explains_the_arguments(repository: Repository) -> None:
    assert "--all" in repository.run("--help").stdout
