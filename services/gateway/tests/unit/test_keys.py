"""What a key may do follows from its scopes; a file of keys says what is wrong with it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.keys import ApiKey, Keys, digest, new_key, parse_keys

SERVICE = Path(__file__).parents[2]
EMAIL = "app.tasks.email.send_email"


def key(*scopes, key_id="k"):
    return ApiKey(id=key_id, sha256=digest(key_id), scopes=scopes)


@pytest.mark.parametrize(
    ("scopes", "verb", "task", "allowed"),
    [
        (["send"], "send", EMAIL, True),
        (["send"], "send", None, True),
        (["send"], "read", EMAIL, False),
        (["send:app.tasks.email.*"], "send", EMAIL, True),
        (["send:app.tasks.email.*"], "send", "app.tasks.etl.load", False),
        (["send:app.tasks.email.*"], "send", None, False),
        ([f"send:{EMAIL}"], "send", f"{EMAIL}s", False),
        (["send:*"], "send", None, True),
        (["*"], "operate", None, True),
        (["*:app.tasks.email.*"], "replay", EMAIL, True),
        (["*:app.tasks.email.*"], "operate", None, False),
        (["read", f"replay:{EMAIL}"], "replay", EMAIL, True),
    ],
)
def test_scopes(scopes, verb, task, allowed):
    assert key(*scopes).may(verb, task) is allowed


@pytest.mark.parametrize("scope", ["", "write", "send:", ":app.tasks.*", "SEND"])
def test_what_is_no_scope_is_refused(scope):
    with pytest.raises(ValueError, match="is no scope"):
        key(scope)


def test_a_secret_is_found_by_its_digest_only():
    keys = Keys([key("send", key_id="one"), key("read", key_id="two")])
    assert keys.of_secret("two").id == "two"
    assert keys.of_secret("three") is None
    assert keys.of_secret(digest("two")) is None
    assert keys.of_secret("half \ud800") is None
    assert (len(keys), keys.of_id("one").id, keys.of_id("three")) == (2, "one", None)


def test_two_keys_of_one_id_are_refused():
    with pytest.raises(ValueError, match="same id"):
        Keys([key("send"), key("read")])


def test_a_file_holds_one_key_a_line():
    secret, line = new_key("ci", ["send:app.tasks.email.*", "read"], 5, 10)
    (found,) = parse_keys(f"# who may come in\n\n  {line}\n")
    assert (found.id, found.scopes, found.per_second, found.burst) == (
        "ci",
        ("send:app.tasks.email.*", "read"),
        5,
        10,
    )
    assert found.sha256 == digest(secret)
    assert secret not in line


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("wk_secret", "line 2"),
        (json.dumps({"id": "x", "sha256": "0" * 64, "scopes": ["fly"]}), "'fly' is no scope"),
        (json.dumps({"id": "x", "sha256": "0" * 63, "scopes": ["read"]}), "sha256"),
        (json.dumps({"id": "a b", "sha256": "0" * 64, "scopes": ["read"]}), "id"),
        (json.dumps({"id": "x", "sha256": "0" * 64, "scopes": []}), "scopes"),
        (json.dumps({"id": "x", "sha256": "0" * 64, "scopes": ["read"], "key": "wk_secret"}), "key"),
    ],
)
def test_a_wrong_line_is_named_without_its_content(line, problem):
    with pytest.raises(ValueError, match=problem) as refused:
        parse_keys(f"\n{line}")
    assert "wk_secret" not in str(refused.value)


def run(*words):
    command = [sys.executable, "-m", "app.keys", *words]
    return subprocess.run(command, cwd=SERVICE, capture_output=True, text=True, check=False)


def test_the_command_prints_the_key_once_and_its_line():
    done = run("new", "--id", "ci", "--scope", "send:app.tasks.email.*", "--scope", "read")
    secret, line = done.stdout.splitlines()
    assert (done.returncode, parse_keys(line)[0].sha256) == (0, digest(secret))
    assert len(secret) > 40
    refused = run("new", "--id", "ci", "--scope", "fly")
    assert (refused.returncode, "'fly' is no scope" in refused.stderr) == (2, True)
