"""No message can hurt a worker: every malformed message is kept, parked or run, and the worker goes on as it was."""

import random
from uuid import uuid4

import pytest

from devstack.malformed.corpus import corpus, small
from devstack.malformed.ledger import PRIORITIES, twice
from devstack.malformed.message import NOTE, QUEUE, Expected, Maker, Malformed
from devstack.malformed.trial import CHANNEL, POOLS, Trial, good

ANSWER_SECONDS = 30.0  # a stall is longer than any pause of a busy machine
SETTLE_SECONDS = 120.0
GROUP = 20
PLACES = {
    Expected.KEPT: {"dead"},
    Expected.PARKED: {"parked"},
    Expected.RUNS: {"run"},
    Expected.MAY_RUN: {"dead", "parked", "delayed", "run", "revoked", "dead in another form"},
}


@pytest.fixture
def pool(request, tmp_path):
    """A worker with a pool of processes, or with the pool that the test names."""
    with Trial(tmp_path, getattr(request, "param", "prefork")) as trial:
        yield trial


in_each_pool = pytest.mark.parametrize("pool", POOLS, indirect=True)


def assert_in_place(pool: Trial, messages: list[Malformed]) -> None:
    """Each message is where it must be."""
    places = pool.ledger.places()
    found = {message: places.of(message.raw) for message in messages}
    wrong = {message.name: place for message, place in found.items() if place not in PLACES[message.expected]}
    assert not wrong, "\n".join(f"{name}: {place}" for name, place in wrong.items())


def hurt_by(pool: Trial, messages: list[Malformed], key: str = QUEUE) -> dict[str, list[str]]:
    """What messages do to the worker, by their names; one that was hurt is replaced.

    They come in groups, and a group that hurts is tried one by one.
    """
    pool.push([message.raw for message in messages], key)
    wounds = ([] if pool.answers(ANSWER_SECONDS) else ["no task ran after it"]) + pool.wounds()
    if not wounds:
        return {}
    pool.begin_again()
    if len(messages) == 1:
        return {messages[0].name: wounds}
    alone = {name: found for message in messages for name, found in hurt_by(pool, [message], key).items()}
    return alone or {" and ".join(message.name for message in messages): wounds}


def groups(messages: list[Malformed]) -> list[list[Malformed]]:
    return [messages[at : at + GROUP] for at in range(0, len(messages), GROUP)]


@in_each_pool
def test_each_message_leaves_the_worker_as_it_was(pool, record_property):
    messages = corpus()
    wounds = {name: found for group in groups(messages) for name, found in hurt_by(pool, group).items()}
    assert not wounds, "\n".join(f"{name}: {found}" for name, found in wounds.items())
    pid = pool.worker.pid
    assert pool.settles(SETTLE_SECONDS)
    assert_in_place(pool, messages)
    assert pool.worker.pid == pid
    assert pool.wounds() == []
    record_property("malformed messages", len(messages))


def test_among_good_tasks_each_good_one_runs_once(pool):
    messages = corpus()
    ids = [str(uuid4()) for _ in range(2_000)]
    mixed = [message.raw for message in messages] + [good(task_id) for task_id in ids]
    random.Random(7).shuffle(mixed)  # noqa: S311  - no secret
    pool.push(mixed)
    assert pool.has_run(ids, 300)
    assert pool.settles(SETTLE_SECONDS)
    assert_in_place(pool, messages)
    assert twice(pool.ledger.places(), ids) == set()
    assert pool.wounds() == []


def test_ten_thousand_before_a_good_one(pool):
    plain = [message for message in small(corpus()) if message.expected is Expected.KEPT]
    junk = [b"%d %s" % (number, plain[number % len(plain)].raw) for number in range(10_000)]  # no two are alike
    pool.push(junk)
    assert pool.has_run(pool.push_good(), 120)
    assert pool.settles(SETTLE_SECONDS)
    places = pool.ledger.places()
    assert [raw for raw in junk if places.of(raw) != "dead"] == []
    assert pool.wounds() == []


def test_unreadable_messages_with_the_same_id_are_all_kept(pool):
    task_id = str(uuid4())
    make = Maker(NOTE, {"token": "x"}, QUEUE)
    twins = [make.headers(id=task_id, timelimit=[f"junk {number}", 1]) for number in range(5)]
    pool.push([good(task_id), *twins])
    assert pool.answers(ANSWER_SECONDS)
    assert pool.settles(SETTLE_SECONDS)
    places = pool.ledger.places()
    assert [places.of(raw) for raw in twins] == ["dead"] * 5


def test_the_same_message_five_times_is_accounted_for(pool):
    message = Maker(NOTE, {"token": "x"}, QUEUE).headers(id="the same", eta="2999-01-01T00:00:00+00:00")
    pool.push([message] * 5)
    assert pool.answers(ANSWER_SECONDS)
    assert pool.settles(SETTLE_SECONDS)
    assert pool.ledger.places().delayed[message] == 5


@pytest.mark.parametrize("priority", PRIORITIES)
def test_a_key_of_another_type_where_a_list_should_be(pool, priority):
    for spoil in (lambda key: pool.broker.set(key, "x"), lambda key: pool.broker.hset(key, "a", "b")):
        spoil(QUEUE + priority)
        other = QUEUE + PRIORITIES[1 if priority == "" else 0]
        ids = [str(uuid4())]
        pool.push([good(ids[0])], other)
        assert pool.has_run(ids, ANSWER_SECONDS)
        pool.broker.delete(QUEUE + priority)
        assert pool.answers(ANSWER_SECONDS)
    assert pool.wounds() == []


def test_messages_on_the_priority_lists(pool):
    messages = small(corpus())
    for number, priority in enumerate(PRIORITIES):
        pool.push([message.raw for message in messages[number :: len(PRIORITIES)]], QUEUE + priority)
    assert pool.answers(ANSWER_SECONDS * 4)
    assert pool.settles(SETTLE_SECONDS)
    assert_in_place(pool, messages)
    assert pool.wounds() == []


@in_each_pool
def test_messages_on_the_channel_of_remote_control(pool):
    wounds = {name: found for group in groups(small(corpus())) for name, found in hurt_by(pool, group, CHANNEL).items()}
    assert not wounds, "\n".join(f"{name}: {found}" for name, found in wounds.items())
