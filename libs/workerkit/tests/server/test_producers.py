"""Producers without this repository's libraries, and the vectors of the message format, with a real worker."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from devstack.services import ROOT
from devstack.worker import WorkerProcess
from taskclient.canvas import step
from taskclient.client import TaskClient
from taskclient.errors import TaskRejected

EXAMPLES = ROOT / "docs" / "examples"
VECTORS = sorted((ROOT / "docs" / "reference" / "message-vectors").glob("*.json"))
PLACE = "app.tasks.demo.place"
PAYLOAD = {"order": {"number": 7, "tags": ["Grüße"]}, "day": "Monday", "count": 2}
PLACED = {"number": 9, "tags": ["Grüße", "Monday"]}
DIFFERS = {
    ("headers", "origin"),
    ("headers", "x-published-at"),
    ("properties", "delivery_tag"),
    ("properties", "expiration"),
}
TYPED = """
import { TaskClient, TaskFailed, TaskTimeout, demoPlace, demoSleep } from "./tasks.js";

const client = await TaskClient.connect(process.env["BROKER_URL"]!);
const placed = await demoPlace(client, { order: { number: 7, tags: ["Grüße"] }, day: "Monday", count: 2 });
const order = await placed.result(60);
const total: number = order.number;

const key = { idempotencyKey: "typed", correlationId: "request-42" };
const same = [];
for (const name of ["typed", "typed"]) same.push(await demoSleep(client, { name, seconds: 0 }, key));
const names = await Promise.all(same.map((handle) => handle.result(60)));

const late = await demoSleep(client, { name: "late", seconds: 0 }, { eta: new Date(Date.now() + 60_000) });
const timeout = await late.result(0.1).catch((error) => error instanceof TaskTimeout);
const old = await demoSleep(client, { name: "old", seconds: 0 }, { expires: new Date(Date.now() - 1_000) });
const revoked = await old.result(60).catch((error: TaskFailed) => error.status);
const wrong = await client.send("app.tasks.demo.place", { colour: "red" }, { queue: "demo" });
const refused = await wrong.result(60).catch((error: TaskFailed) => error.errorType);
console.log(JSON.stringify({ order, total, names, timeout, revoked, refused, status: await placed.status() }));
await client.close();
"""
MISTAKES = """
import { TaskClient, demoPlace } from "./tasks.js";

export async function mistakes(client: TaskClient): Promise<string> {
  await demoPlace(client, {});
  await demoPlace(client, { order: { number: "one" }, day: "Monday" });
  await demoPlace(client, { order: { number: 1 }, day: "Monday", colour: "red" });
  await demoPlace(client, { order: { number: 1 }, day: "Monday" }, { delay: 3 });
  return (await (await demoPlace(client, { order: { number: 1 }, day: "Monday" })).result(1)).number;
}
"""


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, Path(__file__).parent / "demo", "demo_app", folder=folder) as process:
        yield process


@pytest.fixture
def environment(worker, module_valkey):
    results = module_valkey.url[:-1] + "1"
    return {**os.environ, "BROKER_URL": module_valkey.url, "RESULT_URL": results}


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """A folder with the examples for Node.js and the packages they need, as their lock names them."""
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            pytest.fail("there is no Node.js, and in CI that is a failure")
        pytest.skip("there is no Node.js")
    folder = tmp_path_factory.mktemp("node")
    shutil.copytree(
        EXAMPLES / "node", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules", "dist")
    )
    run(["npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"], cwd=folder)
    return folder


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_plain_celery(environment):
    program = [sys.executable, EXAMPLES / "send_with_celery.py"]
    assert json.loads(run([*program, PLACE, json.dumps(PAYLOAD)], env=environment)) == PLACED


@pytest.mark.parametrize("program", ["send.mjs", "send-with-celery-node.mjs"])
def test_node(node, environment, program):
    command = ["node", node / program, PLACE]
    assert json.loads(run([*command, json.dumps(PAYLOAD)], env=environment)) == PLACED
    wrong = subprocess.run([*command, "{}"], env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert wrong.returncode == 1
    assert "InvalidPayload" in wrong.stderr


@pytest.fixture(scope="module")
def compiled(node, worker, module_valkey):
    """What the compiler says of the modules, of a right caller and of a wrong one; it writes JavaScript anyway."""
    command = [Path(sys.executable).with_name("tasks"), "producers", "--language", "typescript"]
    (node / "tasks.ts").write_text(run(command, env=os.environ | {"TASK_BROKER_URL": module_valkey.url}))
    run(["make", "producers", f"out={node / 'all.ts'}"], cwd=ROOT)
    (node / "typed.ts").write_text(TYPED)
    (node / "mistakes.ts").write_text(MISTAKES)
    compiler = ["npx", "--no-install", "tsc", "--pretty", "false"]
    done = subprocess.run(compiler, cwd=node, capture_output=True, text=True, check=False, timeout=300)
    return done.stdout


def test_the_compiler_finds_each_mistake_of_a_caller_in_typescript_and_no_other(compiled):
    found = re.findall(r"^(\w+\.ts)\((\d+),", compiled, re.MULTILINE)
    assert set(found) == {("mistakes.ts", str(line)) for line in range(5, 10)}, compiled


def test_a_caller_in_typescript(compiled, node, environment):
    printed = json.loads(run(["node", node / "dist" / "typed.js"], env=environment))
    ends = {"names": ["typed", "typed"], "timeout": True, "revoked": "REVOKED", "refused": "InvalidPayload"}
    assert printed == {"order": PLACED, "total": 9, "status": "SUCCESS", **ends}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_a_worker_takes_the_vectors_of_the_message_format(worker, module_valkey, vector):
    known = json.loads(vector.read_text())
    assert json.loads(base64.b64decode(known["message"]["body"])) == known["body"]
    with module_valkey.client() as broker, TaskClient(module_valkey.url) as client:
        broker.lpush(known["queue"], json.dumps(known["message"]))
        handle = client.handle(known["result"].get("task_id", known["message"]["headers"]["id"]))
        record = handle.wait(30).record()
        assert record.status == known["result"]["status"]
        if record.status == "SUCCESS":
            assert record.result == known["result"]["result"]
        else:
            assert record.result["exc_type"] == known["result"]["error"]
        if "fields" in known["result"]:
            with pytest.raises(TaskRejected) as rejected:
                handle.result()
            assert [wrong["field"] for wrong in rejected.value.errors] == known["result"]["fields"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda path: path.stem)
def test_the_client_writes_the_vectors_of_the_message_format(valkey, vector):
    known = json.loads(vector.read_text())
    if known["call"] is None:
        assert known["message"]["headers"].keys() == {"lang", "task", "id"}  # the least that a worker takes
        return
    with valkey.client() as broker, TaskClient(valkey.url, check=False) as client:
        send(client, known["call"])
        assert comparable(json.loads(broker.lpop(known["queue"]))) == comparable(known["message"])


def send(client, call):
    options = dict(call["options"])
    if "chain" in call:
        client.chain(*(step(one["name"], **one["payload"]) for one in call["chain"]), **options)
        return
    times = {name: datetime.fromisoformat(options.pop(name)) for name in ("eta", "expires") if name in options}
    client.send_payload(call["name"], call["payload"], **options, **times)


def comparable(message):
    """The message with only the types of the values that differ each time."""
    for part, name in DIFFERS:
        if name in message[part]:
            message[part][name] = type(message[part][name]).__name__
    return message


def test_the_locks_name_no_registry():
    lock = json.loads((EXAMPLES / "node" / "package-lock.json").read_text())
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    assert all(package["integrity"] and "resolved" not in package for package in packages.values())
