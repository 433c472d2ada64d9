"""The workflows are valid, safe and call targets that exist; their scripts do what they say, shown on fake programs."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv/bin"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def load(name: str) -> dict[Any, Any]:
    workflow: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows" / name).read_text(encoding="utf-8"))
    return workflow


def all_jobs() -> list[tuple[str, dict[str, Any]]]:
    """Every job, with a name to show when its test fails."""
    return [(f"{file.name}: {name}", job) for file in WORKFLOWS for name, job in load(file.name)["jobs"].items()]


def all_steps() -> list[tuple[str, dict[str, Any]]]:
    return [(name, step) for name, job in all_jobs() for step in job.get("steps", [])]


def check(program: str, *arguments: str) -> None:
    done = subprocess.run([BIN / program, *arguments], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_are_workflows() -> None:
    assert [file.name for file in WORKFLOWS] == ["checks.yml", "images.yml", "release.yml"]


def test_all_workflows_are_valid() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS))


def test_dependabot_is_valid() -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")


def test_zizmor_finds_nothing_to_mend() -> None:
    check("zizmor", "--offline", "--no-progress", "--no-config", "--strict-collection", "--pedantic", ".github")


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_to_a_commit_and_every_workflow_called_exists(file: Path) -> None:
    used = re.findall(r"^\s*(?:- )?uses: *(.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    for reference in used:
        if reference.startswith("./"):
            assert (ROOT / reference.split()[0]).is_file(), reference
        else:
            assert PINNED.fullmatch(reference), reference


def test_one_action_has_one_version() -> None:
    versions = {step["uses"] for _, step in all_steps() if "uses" in step}
    assert len(versions) == len({version.partition("@")[0] for version in versions}), versions


def test_every_make_target_that_a_workflow_calls_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    scripts = "\n".join(step.get("run", "") for _, step in all_steps())
    called = set(re.findall(r"\bmake (?:--?[a-z-]+ )*([a-z][a-z-]*)", scripts))
    assert called >= {"install", "lint", "types", "test", "test-compose", "changed", "image"}
    assert called <= targets, f"not in the Makefile: {called - targets}"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_starts_with_no_right_to_write(file: Path) -> None:
    assert load(file.name)["permissions"] in ({}, {"contents": "read"})


def test_only_two_jobs_may_write_and_no_pull_request_reaches_them() -> None:
    writers = {name: job for name, job in all_jobs() if "write" in job.get("permissions", {}).values()}
    assert set(writers) == {"images.yml: publish", "release.yml: images", "release.yml: release"}
    assert writers["images.yml: publish"]["if"].startswith("github.event_name == 'push' && ")
    assert load("release.yml")[True] == {"push": {"tags": ["v*"]}}, "YAML 1.1 reads the key `on` as true"


def test_every_job_that_runs_steps_has_a_time_limit() -> None:
    assert [name for name, job in all_jobs() if "steps" in job and "timeout-minutes" not in job] == []


def test_no_checkout_leaves_its_token_behind() -> None:
    checkouts = [step for _, step in all_steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_no_expression_stands_inside_a_script() -> None:
    assert [name for name, step in all_steps() if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("job", ["build", "publish"])
def test_no_changed_service_is_no_error(job: str) -> None:
    assert load("images.yml")["jobs"][job]["if"].endswith(" && needs.changes.outputs.services != '[]'")


def test_compose_names_each_image_as_publishing_expects() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    for service in (dockerfile.parent.name for dockerfile in ROOT.glob("services/*/Dockerfile")):
        assert compose[service]["image"].startswith(f"{service}:${{VERSION"), service


class Runner:
    """Runs a step's script as GitHub does, with fake programs that write down how they were called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.environment = {"PATH": f"{folder}:{os.environ['PATH']}", "RUNNER_TEMP": str(folder)}
        for name in ("GITHUB_ENV", "GITHUB_OUTPUT"):
            self.environment[name] = str(folder / name)

    def fake(self, program: str, script: str = "") -> None:
        path = self.folder / program
        path.write_text(f'#!/bin/sh\necho "{program} $*" >> {self.calls}\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def run(self, workflow: str, job: str, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        steps = load(workflow)["jobs"][job]["steps"]
        (script,) = [step["run"] for step in steps if step.get("name") == name]
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=self.folder,
            env=self.environment | environment,
            check=False,
            capture_output=True,
            text=True,
        )

    def called(self) -> list[str]:
        return self.calls.read_text(encoding="utf-8").splitlines() if self.calls.exists() else []

    def written(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_the_changed_services_become_the_matrix(runner: Runner) -> None:
    runner.fake("make", """echo '["beat", "flower"]'""")
    done = runner.run("images.yml", "changes", "Compare with the base", BASE="abc")
    assert done.returncode == 0, done.stderr
    assert runner.called() == ["make --silent changed base=abc"]
    assert runner.written("GITHUB_OUTPUT") == 'services=["beat", "flower"]\n'


def test_a_failing_comparison_fails_the_job(runner: Runner) -> None:
    runner.fake("make", "exit 2")
    assert runner.run("images.yml", "changes", "Compare with the base", BASE="abc").returncode != 0


@pytest.mark.parametrize(
    ("kind", "name", "version"),
    [("branch", "main", "c0ffee"), ("tag", "v1.2.3", "1.2.3"), ("tag", "v2.0.0-rc.1", "2.0.0-rc.1")],
)
def test_a_version_is_the_tag_or_the_commit(runner: Runner, kind: str, name: str, version: str) -> None:
    given = {"GITHUB_REF_TYPE": kind, "GITHUB_REF_NAME": name, "REVISION": "c0ffee"}
    assert runner.run("images.yml", "publish", "Choose the version", **given).returncode == 0
    assert runner.written("GITHUB_ENV") == f"VERSION={version}\n"


@pytest.mark.parametrize(("version", "tags"), [("c0ffee", ["c0ffee"]), ("1.2.3", ["c0ffee", "1.2.3"])])
def test_an_image_is_pushed_by_commit_and_version(runner: Runner, version: str, tags: list[str]) -> None:
    runner.fake("docker")
    given = {"SERVICE": "beat", "VERSION": version, "REVISION": "c0ffee", "GITHUB_REPOSITORY": "Ada/Workers"}
    assert runner.run("images.yml", "publish", "Push", **given).returncode == 0
    image = "ghcr.io/ada/workers/beat"
    expected = [(f"docker tag beat:{version} {image}:{tag}", f"docker push {image}:{tag}") for tag in tags]
    assert runner.called() == [call for pair in expected for call in pair]


def test_the_token_never_appears_on_a_command_line(runner: Runner) -> None:
    runner.fake("docker", "cat > login")
    assert runner.run("images.yml", "publish", "Log in", GITHUB_ACTOR="ada", TOKEN="t0ken").returncode == 0
    assert runner.called() == ["docker login ghcr.io --username ada --password-stdin"]
    assert runner.written("login") == "t0ken\n"


CHANGELOG = """# Changelog

## Unreleased

- Not yet.

## [1.10.0] - 2026-03-01

- Ten.

## 1.1.0

### Added

- One thing.

## 1.0.0-rc.1
"""


@pytest.mark.parametrize(("tag", "notes"), [("v1.10.0", "\n- Ten.\n\n"), ("v1.1.0", "\n### Added\n\n- One thing.\n\n")])
def test_a_release_carries_its_part_of_the_changelog(runner: Runner, tag: str, notes: str) -> None:
    runner.fake("gh")
    (runner.folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    done = runner.run("release.yml", "release", "Create the release", GITHUB_REF_NAME=tag)
    assert done.returncode == 0, done.stderr
    options = f"--verify-tag --title {tag[1:]} --notes-file {runner.folder}/notes.md"
    assert runner.called() == [f"gh release create {tag} {options}"]
    assert runner.written("notes.md") == notes


def test_a_release_candidate_is_not_announced_as_the_latest(runner: Runner) -> None:
    runner.fake("gh")
    (runner.folder / "CHANGELOG.md").write_text(f"{CHANGELOG}\n- Try it.\n", encoding="utf-8")
    runner.run("release.yml", "release", "Create the release", GITHUB_REF_NAME="v1.0.0-rc.1")
    assert [call.endswith(" --prerelease") for call in runner.called()] == [True]


@pytest.mark.parametrize("tag", ["v9.9.9", "v1.1", "v1.0.0-rc.1"])
def test_a_release_without_notes_is_refused(runner: Runner, tag: str) -> None:
    runner.fake("gh")
    (runner.folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    done = runner.run("release.yml", "release", "Create the release", GITHUB_REF_NAME=tag)
    assert done.returncode == 1
    assert f"## {tag[1:]}" in done.stdout
    assert runner.called() == []
