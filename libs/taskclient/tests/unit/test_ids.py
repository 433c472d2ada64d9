"""Ids are UUIDs, as Celery's are."""

from uuid import RFC_4122, UUID

from taskclient.ids import new_id


def test_an_id_is_a_random_uuid():
    ids = [new_id() for _ in range(2000)]
    found = [UUID(each) for each in ids]
    assert [str(each) for each in found] == ids
    assert {(each.version, each.variant) for each in found} == {(4, RFC_4122)}
    assert len(set(ids)) == len(ids)
    assert {each[19] for each in ids} == set("89ab")
