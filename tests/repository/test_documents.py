"""Documents, examples and the files they speak of agree."""

import re
import subprocess
import sys
from fnmatch import fnmatch

import pytest
import redis_users
import yaml

from devstack.services import ROOT, discover

DOCUMENTS = [
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*/README.md")]
    if ".venv" not in path.parts
]


def test_the_table_of_services_is_up_to_date():
    subprocess.run([sys.executable, ROOT / "scripts" / "service_table.py", "--check"], check=True)


def test_the_users_of_redis_are_up_to_date():
    subprocess.run([sys.executable, ROOT / "scripts" / "redis_users.py", "--check"], check=True)


def test_the_reference_of_the_command_is_up_to_date():
    subprocess.run([sys.executable, ROOT / "scripts" / "command_reference.py", "--check"], check=True)


def test_the_contracts_are_up_to_date():
    subprocess.run([sys.executable, ROOT / "scripts" / "contracts.py", "--check"], check=True)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if not target.startswith("http"):
            assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_and_files_exist(document):
    targets = re.findall(r"^([a-z%-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    code = " ".join(re.findall(r"`([^`\n]+)`", document.read_text()))
    for target in re.findall(r"\bmake ([a-z-]+)", code):
        assert any(fnmatch(target, known.replace("%", "*")) for known in targets), target
    for path in re.findall(r"\b(?:libs|tests|scripts|docs|services)/[\w./*-]+\w", code):
        assert list(ROOT.glob(path)), path


def test_the_example_environment_names_every_variable_with_its_default():
    example = dict(re.findall(r"^([A-Z_]+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))
    compose = "".join(path.read_text() for path in (ROOT / "docker-compose.yml", ROOT / "services/compose.base.yml"))
    used = dict(re.findall(r"(?<!\$)\$\{([A-Z0-9_]+):-([^}]*)\}", compose))
    # One for each service, described beside REDIS_PASSWORD, which stands in for them.
    assert example == {name: value for name, value in used.items() if not name.startswith("REDIS_PASSWORD_")}


def test_every_service_has_its_files():
    for service in discover():
        celery = ("celeryconfig.py", "app/celery_app.py") if service.is_celery else ()
        for name in ("README.md", "requirements.in", "requirements.txt", *celery):
            assert (service.folder / name).is_file(), f"{service.name}/{name}"


def test_every_service_extends_the_base_and_is_built_from_its_dockerfile():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in discover():
        entry = compose[service.name]
        assert entry["extends"]["file"] == "services/compose.base.yml"
        assert entry["build"]["dockerfile"] == f"services/{service.name}/Dockerfile"


def test_every_service_on_redis_is_its_own_user_there():
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    users = {
        name: entry["environment"] for name, entry in compose.items() if "REDIS_USER" in entry.get("environment", {})
    }
    assert users.keys() == {service.name for service in discover() if service.uses_redis}
    assert {entry["REDIS_USER"] for entry in users.values()} == redis_users.users(ROOT).keys()
    for service, entry in users.items():
        name = service.removeprefix("worker-celery-")
        own = f"REDIS_PASSWORD_{name.upper().replace('-', '_')}"
        assert entry["REDIS_USER"] == name
        assert entry["REDIS_PASSWORD"] == f"${{{own}:-${{REDIS_PASSWORD:-development}}}}"
        assert compose["redis"]["environment"][own] == f"${{{own}:-}}"


@pytest.mark.parametrize("lock", sorted(ROOT.glob("**/requirements*/*.txt")) + sorted(ROOT.glob("services/*/*.txt")))
def test_locks_have_hashes_and_no_address(lock):
    if ".venv" in lock.parts:
        return
    text = lock.read_text()
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|--index-url|--find-links", text)


def test_service_locks_hold_versions_of_the_one_that_is_tested():
    tested = set(re.findall(r"^([\w.-]+==\S+)", (ROOT / "scripts/requirements/dev.txt").read_text(), re.MULTILINE))
    for lock in ROOT.glob("services/*/requirements.txt"):
        assert set(re.findall(r"^([\w.-]+==\S+)", lock.read_text(), re.MULTILINE)) <= tested


def test_the_index_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    pages = {str(path.relative_to(index.parent)) for path in index.parent.glob("*/*.md")}
    missing = {page for page in pages if not page.startswith("adr/") and f"({page})" not in index.read_text()}
    assert not missing, f"docs/README.md does not link to {sorted(missing)}"
