"""Everything at once, for any number of pages: read once a second, whoever and however many watch."""

import json
import threading

import httpx
import pytest

from devstack.waiting import wait_for

PAGES = 20

pytestmark = pytest.mark.usefixtures("worker")


def events_of(gateway, key, many):
    """The first events of a page's stream."""
    found = []
    url = f"{gateway.url}/overview/events"
    with httpx.stream("GET", url, headers=gateway.headers(key), timeout=20) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        for line in stream.iter_lines():
            if line.startswith("data: "):
                found.append(json.loads(line.removeprefix("data: ")))
            if len(found) == many:
                break
    return found


def test_a_snapshot_has_queues_workers_running_jobs_and_dead_letters(gateway, everyone, task_client):
    task_client.send("app.tasks.clerk.refuse", reason="out of tea")
    walk = task_client.send("app.tasks.clerk.walk", steps=400, seconds=0.02)
    wait_for(lambda: task_client.dead_letters().count() == 1 and walk.record().status == "PROGRESS")
    _, _, *snapshots = events_of(gateway, "reader", 4)
    latest = snapshots[-1]
    assert [(state["queue"], state["in_flight"], state["paused"]) for state in latest["queues"]] == [
        ("clerk", 1, False)
    ]
    assert [(job["id"], job["task"], job["progress"]["total"]) for job in latest["running"]] == [
        (walk.id, "app.tasks.clerk.walk", 400)
    ]
    assert [worker["service"] for worker in latest["workers"]] == ["clerk"]
    assert [(one["service"], one["letters"], one["reasons"]) for one in latest["dead"]] == [("clerk", 1, {"failed": 1})]
    assert (latest["problem"], latest["note"]) == (None, None)
    assert [schedule["name"] for schedule in latest["schedules"]] == ["clerk:tea"]
    assert everyone.get("/overview").json()["queues"][0]["queue"] == "clerk"
    task_client.cancel(walk.id)


def test_many_pages_cost_redis_no_more_than_one(gateway, module_valkey):
    threads = [threading.Thread(target=events_of, args=(gateway, "reader", 8)) for _ in range(PAGES)]
    with module_valkey.client() as redis:
        for thread in threads:
            thread.start()
        events_of(gateway, "reader", 3)
        redis.config_resetstat()
        seen = events_of(gateway, "reader", 4)[1:]
        calls = redis.info("commandstats").get("cmdstat_hgetall", {"calls": 0})["calls"]
    for thread in threads:
        thread.join()
    # A reading asks for the catalog some times; 20 pages with a reading each would make it hundreds.
    assert calls <= 12 * (len(seen) + 1)


def test_pages_that_are_open_see_the_same(gateway):
    seen = [[], []]

    def look(place):
        seen[place] = [snapshot["at"] for snapshot in events_of(gateway, "reader", 5)[1:]]

    threads = [threading.Thread(target=look, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({*seen[0]} & {*seen[1]}) >= 3


def test_it_needs_the_scope_over_all_tasks(as_):
    assert [as_("orders").get(path).status_code for path in ("/overview", "/overview/events")] == [403, 403]


def test_a_key_knows_what_it_may_do(as_):
    answer = as_("canceller").get("/key").json()
    assert answer["id"] == "canceller"
    assert {verb: tasks for verb, tasks in answer["may"].items() if tasks} == {
        "read": ["*"],
        "cancel": ["app.tasks.clerk.walk"],
    }


def test_the_page_and_its_files_trust_only_themselves(everyone):
    page = everyone.get("/")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    script = everyone.get("/static/js/main.js")
    assert script.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    again = everyone.get("/static/js/main.js", headers={"If-None-Match": script.headers["etag"]})
    assert (page.status_code, again.status_code) == (200, 304)


@pytest.mark.parametrize("path", ["/static/", "/static/..%2fmain.py", "/static/nothing.js"])
def test_there_are_no_other_files(everyone, path):
    assert everyone.get(path).status_code == 404
