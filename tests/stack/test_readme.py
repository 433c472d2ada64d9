"""The examples of the README that need no Docker, run as they stand there."""

import re
import subprocess
from pathlib import Path

from devstack.examples import blocks, console_examples
from devstack.services import ROOT

README = ROOT / "README.md"
HERE = Path(__file__).parent


def test_the_first_example_runs_and_prints_what_it_says():
    without_docker = console_examples(README)[0]
    assert without_docker.commands[0][0] == "make demo"
    without_docker.run(ROOT, {})


def test_every_make_target_of_a_list_is_run_by_somebody():
    """By the gate, by a workflow, or by a test; `make help` here."""
    listed = {target for block in blocks(README, "sh") for line in block.splitlines() for target in targets(line)}
    files = [ROOT / ".ci" / "run", *(ROOT / ".github" / "workflows").glob("*.yml")]
    lines = [line for file in files for line in re.findall(r"\bmake ([a-z -]+)", file.read_text())]
    run = {target for line in lines for target in line.split()}
    run |= {
        name.replace("_", "-")
        for name in re.findall(r'script\(copy, "(\w+)"', (HERE / "test_new_worker.py").read_text())
    }
    run |= set(re.findall(r'start\("(\w+)"\)', (HERE / "test_scripts.py").read_text()))
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed <= run | {"help"}
    assert all(f"make {target} " in printed for target in listed - {"help"})


def targets(line: str) -> list[str]:
    command = line.partition("#")[0].split()
    assert command[0] == "make"
    return [word for word in command[1:] if "=" not in word]


def test_the_python_example_runs(stack):
    code = blocks(README, "python")[0].replace("redis://:development@localhost:6379/0", stack.valkey.url)
    printed = []
    exec(code, {"print": printed.append})  # noqa: S102 - it is our own document
    assert printed[0]["recipients"] == ["ada@example.com"]


def test_the_how_to_runs(stack, tmp_path, monkeypatch):
    stubs = tmp_path / "task_stubs.py"
    subprocess.run(["make", "stubs", f"out={stubs}"], cwd=ROOT, capture_output=True, check=True)
    monkeypatch.syspath_prepend(tmp_path)
    page = ROOT / "docs" / "how-to" / "call-a-task.md"
    names = {}
    for code in blocks(page, "python"):
        mine = code.replace("redis://:password@redis:6379/", stack.valkey.url[:-1]).replace(
            '"to": "..."', '"to": "a@b.co"'
        )
        exec(mine, names)  # noqa: S102 - it is our own document
    assert names["receipt"]["recipients"] == ["ada@example.com"]
    receipts = [handle.result(60)["recipients"] for handle in names["handles"]]
    assert receipts == [["grace@example.com"], ["alan@example.com"]]
    names["client"].close()
    names["app"].close()
    assert stack.mailbox.wait("a@b.co")
