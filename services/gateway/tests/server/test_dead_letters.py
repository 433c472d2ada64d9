"""Dead letters are read, replayed and discarded by HTTP, each by its own scope."""

import pytest

from devstack.waiting import wait_for

REFUSE = "/tasks/app.tasks.clerk.refuse"

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def dead(everyone):
    """The id of a new dead letter."""
    job_id = everyone.post(REFUSE, json={"reason": "out of tea"}).json()["id"]
    wait_for(lambda: everyone.get(f"/dead-letters/{job_id}").status_code == 200)
    return job_id


def test_a_letter_says_what_and_why(everyone, dead):
    letter = everyone.get(f"/dead-letters/{dead}").json()
    assert (
        letter.items()
        >= {
            "id": dead,
            "task": "app.tasks.clerk.refuse",
            "reason": "failed",
            "service": "clerk",
            "payload": {"reason": "out of tea"},
            "problem": None,
        }.items()
    )
    assert "out of tea" in letter["error"]
    assert "PermanentError" in letter["traceback"]


def test_letters_come_in_pages(everyone, dead):
    other = everyone.post(REFUSE, json={"reason": "again"}).json()["id"]
    wait_for(lambda: everyone.get(f"/dead-letters/{other}").status_code == 200)
    first = everyone.get("/dead-letters", params={"limit": 1, "task": "app.tasks.clerk.*"}).json()
    assert ([letter["id"] for letter in first["letters"]], bool(first["next"])) == ([other], True)
    second = everyone.get("/dead-letters", params={"limit": 1, "cursor": first["next"]}).json()
    assert [letter["id"] for letter in second["letters"]] == [dead]
    assert everyone.get("/dead-letters?service=nobody").json() == {"letters": [], "next": None}
    assert everyone.get("/dead-letters?reason=unreadable").json()["letters"] == []


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "cursor=x", "cursor=1"])
def test_a_wrong_page_is_refused(everyone, query):
    assert everyone.get(f"/dead-letters?{query}").status_code == 422


def test_replaying_needs_its_own_scope(as_, dead):
    for key_id in ("reader", "sender", "discarder", "orders"):
        assert as_(key_id).post(f"/dead-letters/{dead}/replay").status_code == 403
    replayed = as_("replayer").post(f"/dead-letters/{dead}/replay")
    assert replayed.json() == {"id": dead, "name": "app.tasks.clerk.refuse", "queue": "clerk"}
    wait_for(lambda: (as_("reader").get(f"/dead-letters/{dead}").json().get("attempts") or 0) == 2)


def test_discarding_needs_its_own_scope(as_, dead):
    for key_id in ("reader", "sender", "replayer", "orders"):
        assert as_(key_id).delete(f"/dead-letters/{dead}").status_code == 403
    assert as_("discarder").delete(f"/dead-letters/{dead}").json() == {"id": dead, "name": "app.tasks.clerk.refuse"}
    assert as_("reader").get(f"/dead-letters/{dead}").status_code == 404
    assert as_("discarder").delete(f"/dead-letters/{dead}").status_code == 404
