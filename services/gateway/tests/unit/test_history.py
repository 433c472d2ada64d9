"""The past of the queues: bounded, and one row of numbers for each."""

from app.history import STEP_SECONDS, History


def state(queue, depth, oldest):
    return {"queue": queue, "depth": depth, "oldest_seconds": oldest, "paused": False}


def test_each_queue_has_a_row_of_each_measure():
    history = History()
    history.add(100.0, 2, [state("email", 3, 1.26), state("etl", 0, None)])
    history.add(105.0, 1, [state("email", 4, 6.0)])
    assert history.columns() == {
        "at": [100.0, 105.0],
        "dead": [2, 1],
        "queues": {
            "email": {"depth": [3, 4], "oldest_seconds": [1.3, 6.0]},
            "etl": {"depth": [0, None], "oldest_seconds": [None, None]},
        },
    }


def test_it_forgets_what_is_old():
    history = History(length=2)
    for at in range(3):
        history.add(at, 0, [state(f"queue-{at}", 1, None)])
    assert history.columns()["at"] == [1, 2]
    assert set(history.columns()["queues"]) == {"queue-1", "queue-2"}


def test_a_point_is_due_each_five_seconds_or_a_little_early():
    history = History()
    assert history.due(100.0)
    history.add(100.0, 0, [])
    assert [history.due(100.0 + after) for after in (1, STEP_SECONDS - 0.2, STEP_SECONDS)] == [False, True, True]


def test_many_queues_do_not_fill_the_memory():
    history = History()
    history.add(0, 0, [state(f"queue-{number}", 1, None) for number in range(1000)])
    assert len(history.columns()["queues"]) == 200
