"""Tasks are sent by HTTP and followed to their end; what cannot be sent is refused with every wrong field."""

import json

import httpx
import pytest

from devstack.gateway import GatewayProcess
from devstack.waiting import wait_for
from taskclient.errors import PayloadRefused

ORDER = "/tasks/app.tasks.clerk.order"
GOOD = {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 2}, {"item": "pot", "count": 1}]}

pytestmark = pytest.mark.usefixtures("worker")


def job_after(client, path, body, **options):
    """The job when it has ended."""
    sent = client.post(path, json=body, **options)
    assert sent.status_code == 202, sent.text
    wait_for(lambda: client.get(sent.headers["location"]).json()["status"] in {"SUCCESS", "FAILURE", "REVOKED"})
    return client.get(sent.headers["location"]).json()


def test_a_task_is_sent_and_its_result_read(everyone):
    sent = everyone.post(ORDER, json=GOOD)
    assert sent.status_code == 202
    job = sent.json()
    assert job == {"id": job["id"], "name": "app.tasks.clerk.order", "queue": "clerk"}
    assert sent.headers["location"] == f"/jobs/{job['id']}"
    wait_for(lambda: everyone.get(f"/jobs/{job['id']}").json()["status"] == "SUCCESS")
    assert everyone.get(f"/jobs/{job['id']}").json() == {
        "id": job["id"],
        "name": "app.tasks.clerk.order",
        "status": "SUCCESS",
        "progress": None,
        "result": 3,
        "error": None,
    }


def test_a_failure_says_why(everyone):
    job = job_after(everyone, "/tasks/app.tasks.clerk.refuse", {"reason": "out of tea"})
    assert job["error"] == {"type": "PermanentError", "message": "out of tea"}
    assert job["result"] is None


def test_every_wrong_field_is_named(everyone):
    refused = everyone.post(ORDER, json={"customer": "nobody", "lines": [{"item": 3, "count": 0}], "more": 1})
    assert refused.status_code == 422
    assert {wrong["field"] for wrong in refused.json()["errors"]} == {
        "customer",
        "lines.0.item",
        "lines.0.count",
        "more",
    }


def test_an_unknown_task_is_404_with_what_was_meant(everyone):
    refused = everyone.post("/tasks/app.tasks.clerk.oder", json=GOOD)
    assert refused.status_code == 404
    assert "did you mean app.tasks.clerk.order or" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("[1]", 422),
        ('"text"', 422),
        ("", 422),
        ("{", 422),
        ("[" * 100_000, 400),
        ('{"value": NaN}', 422),
        ('{"value": 1e999}', 422),
        ('{"value": "\\ud800"}', 422),
        (json.dumps({"value": "x" * 300_000}), 413),
        (json.dumps({"value": "x" * 1_100_000}), 413),
    ],
)
def test_a_body_that_cannot_be_sent_is_refused(everyone, body, status):
    answer = everyone.post("/tasks/app.tasks.clerk.echo", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "query", ["countdown=-1", "countdown=nan", "countdown=1e300", "eta=2030-01-01T00:00:00", "expires=-1",
              "eta=2030-01-01T00:00:00Z&countdown=1", "expires=soon"],
)  # fmt: skip
def test_a_wrong_time_is_refused(everyone, query):
    answer = everyone.post(f"{ORDER}?{query}", json=GOOD)
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_time_in_the_future_waits_and_one_in_the_past_is_revoked(everyone):
    later = everyone.post(f"{ORDER}?countdown=600", json=GOOD).json()
    job = job_after(everyone, f"{ORDER}?expires=0", GOOD)
    assert (job["status"], job["error"]["type"]) == ("REVOKED", "TaskRevokedError")
    assert everyone.get(f"/jobs/{later['id']}").json()["status"] == "PENDING"


def test_half_a_character_in_a_result_is_no_problem(everyone, task_client):
    handle = task_client.send("app.tasks.clerk.echo", value="fine")
    handle.wait(60)
    assert everyone.get(f"/jobs/{handle.id}").json() | {"name": None} == {
        "id": handle.id, "name": None, "status": "SUCCESS", "progress": None, "result": "fine", "error": None,
    }  # fmt: skip


def test_a_job_that_nobody_sent_is_pending(everyone):
    assert everyone.get("/jobs/none").json()["status"] == "PENDING"


def test_the_same_idempotency_key_gives_the_same_job(everyone):
    headers = {"Idempotency-Key": "order-1"}
    first, second = (everyone.post(ORDER, json=GOOD, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    refused = everyone.post(ORDER, json={**GOOD, "customer": "grace@example.com"}, headers=headers)
    assert (refused.status_code, "another payload" in refused.json()["detail"]) == (422, True)


def test_a_key_whose_call_was_refused_or_failed_is_free_again(everyone):
    headers = {"Idempotency-Key": "order-2"}
    assert everyone.post(ORDER, json={}, headers=headers).status_code == 422
    assert everyone.post(ORDER, json=GOOD, headers=headers).status_code == 202
    path, body = "/tasks/app.tasks.clerk.refuse", {"reason": "no"}
    ids = [job_after(everyone, path, body, headers=headers)["id"] for _ in range(2)]
    assert ids[0] != ids[1]


def test_a_job_can_be_taken_back(as_, everyone):
    waiting = everyone.post(f"{ORDER}?countdown=600", json=GOOD).json()["id"]
    assert as_("canceller").delete(f"/jobs/{waiting}").status_code == 403
    assert everyone.delete(f"/jobs/{waiting}").json() == {
        "id": waiting,
        "name": "app.tasks.clerk.order",
        "found": "waiting",
    }
    assert everyone.get(f"/jobs/{waiting}").json()["status"] == "REVOKED"
    assert everyone.delete(f"/jobs/{waiting}").json()["found"] == "finished"


def test_what_runs_is_listed_and_can_be_ended(as_, everyone):
    job_id = everyone.post("/tasks/app.tasks.clerk.walk", json={"steps": 6000, "seconds": 0.05}).json()["id"]

    def listed():
        found = [job for job in everyone.get("/jobs?state=running").json() if job["id"] == job_id]
        return found[0] if found and found[0]["progress"] else None

    wait_for(lambda: listed() is not None)
    job = listed()
    assert (job["service"], job["task"], job["progress"]["total"]) == ("clerk", "app.tasks.clerk.walk", 6000)
    assert job["worker"] in {worker["id"] for worker in everyone.get("/workers").json()}
    assert job["seconds"] >= 0
    assert as_("canceller").delete(f"/jobs/{job_id}").json()["found"] == "running"
    wait_for(lambda: everyone.get(f"/jobs/{job_id}").json()["status"] == "REVOKED")
    wait_for(lambda: listed() is None)


def test_a_full_queue_is_429_and_says_when_to_come_back(module_valkey, tmp_path):
    settings = {"TASK_MAX_BACKLOG": "1"}
    with (
        GatewayProcess(module_valkey, tmp_path, scopes={"all": ["*"]}, settings=settings) as small,
        httpx.Client(base_url=small.url, headers=small.headers("all")) as client,
    ):
        assert client.post("/queues/clerk/pause").json() == {"queue": "clerk", "paused": True, "changed": True}
        try:
            answers = [client.post(ORDER, json=GOOD) for _ in range(8)]
        finally:
            client.post("/queues/clerk/resume")
    assert {answer.status_code for answer in answers} == {202, 429}
    assert int(answers[-1].headers["retry-after"]) > 0
    assert "wait in queue clerk" in answers[-1].json()["detail"]


@pytest.mark.parametrize(
    "payload",
    [
        {}, {"customer": None}, {"customer": "ada@example.com"}, {"customer": "ada@example.com", "lines": {}},
        {**GOOD, "lines": [1, "two", None]}, {**GOOD, "lines": [{"item": "tea", "count": 1.5}]}, {**GOOD, "": 1},
        {"customer": "ada@example.com", "lines": [{"item": "tea"}, {"count": 100}]}, {"lines": [], "Customer": "x"},
        {**GOOD, "lines": [{"item": "tea", "count": "2"}]}, {**GOOD, "customer": ["ada@example.com"]},
    ],
)  # fmt: skip
def test_the_field_errors_are_those_of_the_client(everyone, task_client, payload):
    with pytest.raises(PayloadRefused) as refused:
        task_client.send_payload("app.tasks.clerk.order", payload)
    answer = everyone.post(ORDER, json=payload)
    assert (answer.status_code, answer.json()["errors"]) == (422, refused.value.errors)
