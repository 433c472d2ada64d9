"""The gateway beside all services: it knows every task, and a mail that is sent by HTTP arrives."""

import json
import urllib.error
import urllib.request

import pytest

from devstack.services import ROOT

MAIL = {"to": "http@example.com", "subject": "Hello", "body": "By HTTP"}


def ask(stack, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-API-Key": stack.gateway_key, "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(stack.gateway_url + path, data, headers), timeout=30) as answer:
        return answer.read().decode()


def test_a_mail_is_sent_by_http_and_followed_to_its_end(stack):
    job = json.loads(ask(stack, "/tasks/app.tasks.email.send_email", MAIL))
    events = ask(stack, f"/jobs/{job['id']}/events").strip().split("\n\n")
    last = json.loads(
        next(line for line in events[-1].splitlines() if line.startswith("data: ")).removeprefix("data: ")
    )
    assert (last["status"], last["result"]["recipients"]) == ("SUCCESS", ["http@example.com"])
    assert stack.mailbox.wait("http@example.com")


@pytest.mark.parametrize("document", ["openapi", "asyncapi"])
def test_the_documents_have_every_task_of_every_worker(stack, document):
    contracts = [json.loads(file.read_text()) for file in ROOT.glob("services/*/contract.json")]
    names = {task["name"] for contract in contracts for task in contract["tasks"]}
    found = json.loads(ask(stack, f"/{document}.json"))
    known = {path.removeprefix("/tasks/") for path in found["paths"]} if document == "openapi" else found["operations"]
    assert names
    assert names <= set(known)


def test_nobody_comes_in_without_the_key(stack):
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"{stack.gateway_url}/catalog", timeout=10)
    refused.value.close()
