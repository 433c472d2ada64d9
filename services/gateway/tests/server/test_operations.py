"""Queues, workers and metrics as operators see them."""

import re

import httpx
import pytest

from devstack.gateway import GatewayProcess
from devstack.waiting import wait_for

ORDER = "/tasks/app.tasks.clerk.order"
GOOD = {"customer": "ada@example.com", "lines": [{"item": "tea", "count": 2}]}

pytestmark = pytest.mark.usefixtures("worker")


def queue(client):
    (found,) = client.get("/queues").json()
    return found


def test_a_queue_is_paused_and_resumed(everyone, as_):
    assert as_("reader").post("/queues/clerk/pause").status_code == 403
    assert everyone.post("/queues/clerk/pause").json() == {"queue": "clerk", "paused": True, "changed": True}
    job_id = everyone.post(ORDER, json=GOOD).json()["id"]
    wait_for(lambda: queue(everyone)["oldest_seconds"] > 0.5)
    state = queue(everyone)
    assert (state["queue"], state["service"], state["depth"], state["paused"]) == ("clerk", "clerk", 1, True)
    assert everyone.get(f"/jobs/{job_id}").json()["status"] == "PENDING"
    assert everyone.post("/queues/clerk/resume").json() == {"queue": "clerk", "paused": False, "changed": True}
    wait_for(lambda: everyone.get(f"/jobs/{job_id}").json()["status"] == "SUCCESS")


def test_an_unknown_queue_is_404_with_what_was_meant(everyone):
    answer = everyone.post("/queues/clark/pause")
    assert (answer.status_code, "did you mean clerk?" in answer.json()["detail"]) == (404, True)


def test_metrics(everyone, as_):
    everyone.post(ORDER, json=GOOD)
    text = everyone.get("/metrics").text
    values = dict(re.findall(r"^(\w+(?:\{.*\})?) ([0-9.e+]+)$", text, re.MULTILINE))
    sent = 'gateway_requests_total{key="all",method="POST",route="/tasks/{name}",status="202"}'
    assert float(values[sent]) >= 1
    assert float(values['gateway_jobs_sent_total{task="app.tasks.clerk.order"}']) >= 1
    assert values["gateway_redis_up"] == "1.0"
    assert 'task_queue_depth{queue="clerk",service="clerk"}' in values
    assert values['task_workers{service="clerk"}'] == "1.0"
    assert as_("sender").get("/metrics").status_code == 403


def test_everything_says_so_while_redis_is_away(own_valkey, tmp_path):
    gateway = GatewayProcess(own_valkey, tmp_path, scopes={"all": ["*"]})
    with gateway, httpx.Client(base_url=gateway.url, headers=gateway.headers("all"), timeout=60) as client:
        assert client.get("/catalog").json() == []
        own_valkey.stop()
        assert client.get("/healthz").json() == {"status": "Redis does not answer", "redis": False}
        assert gateway.probe().returncode == 1
        for path in ("/jobs/x", "/queues", "/dead-letters", "/jobs"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2"), path
            assert str(own_valkey.port) not in answer.text
        assert "gateway_redis_up 0.0" in client.get("/metrics").text
        own_valkey.start()
        own_valkey.wait_ready()
        wait_for(lambda: client.get("/jobs/x").status_code == 200)
        assert gateway.probe().returncode == 0


def test_a_schedule_is_shown_paused_resumed_and_run(everyone, as_):
    (schedule,) = everyone.get("/schedules").json()
    assert (schedule["name"], schedule["task"], schedule["queue"], schedule["paused"]) == (
        "clerk:tea",
        "app.tasks.clerk.order",
        "clerk",
        False,
    )
    assert as_("reader").post("/schedules/clerk:tea/pause").status_code == 403
    paused = everyone.post("/schedules/clerk:tea/pause").json()
    assert paused == {"schedule": "clerk:tea", "paused": True, "changed": True}
    assert everyone.get("/schedules").json()[0]["paused"]
    assert everyone.post("/schedules/clerk:tea/resume").json()["changed"]
    sent = everyone.post("/schedules/clerk:tea/run")
    assert (sent.status_code, sent.json()["name"]) == (202, "app.tasks.clerk.order")
    wait_for(lambda: everyone.get(sent.headers["location"]).json()["result"] == 4)
    answer = everyone.post("/schedules/clerk:tee/run")
    assert (answer.status_code, "did you mean clerk:tea?" in answer.json()["detail"]) == (404, True)
