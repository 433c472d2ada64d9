"""The malformed messages themselves: distinct, many, and the same for the same seed."""

from collections import Counter
from random import Random
from uuid import uuid4

import pytest

from devstack.malformed.corpus import corpus, small
from devstack.malformed.ledger import names_of
from devstack.malformed.message import NOTE, QUEUE, Expected, Maker
from devstack.malformed.mutate import Mutator, renewed


def good():
    return Maker(NOTE, {"token": str(uuid4())}, QUEUE).good()


@pytest.fixture(scope="module")
def messages():
    return corpus()


def test_names_and_bytes_are_distinct(messages):
    assert [name for name, count in Counter(m.name for m in messages).items() if count > 1] == []
    assert len({m.raw for m in messages}) == len(messages)


def test_there_are_many_of_each_expectation(messages):
    counts = Counter(message.expected for message in messages)
    assert counts[Expected.KEPT] > 100
    assert min(counts[expected] for expected in Expected) > 3
    assert len(small(messages)) > 900


def test_the_same_seed_mutates_in_the_same_way():
    raw = good()
    first, second = (Mutator(Random(7), lambda: raw) for _ in range(2))  # noqa: S311
    mutated = [first.mutate(raw) for _ in range(500)]
    assert mutated == [second.mutate(raw) for _ in range(500)]
    assert len({*mutated, raw}) > 450


def test_a_renewed_message_has_other_ids_and_is_as_good():
    raw = good()
    new = renewed(raw, Random(7))  # noqa: S311
    assert not names_of(raw) & names_of(new)
    assert len(new) == len(raw)


def test_the_id_of_a_message_of_either_protocol_is_found():
    make = Maker(NOTE, {"token": "x"}, QUEUE)
    assert len(names_of(make.good())) == 1
    assert names_of(make.protocol_1(id="first")) == {"first"}
    assert names_of(make.without("headers", "id")) == set()
