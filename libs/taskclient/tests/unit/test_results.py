import json

import pytest

from taskclient.errors import TaskClientError
from taskclient.results import TaskRecord, _parse


def test_record_as_celery_stores_it():
    raw = json.dumps(
        {
            "status": "SUCCESS",
            "result": {"price": {"__type__": "decimal", "__value__": "1.5"}},
            "traceback": None,
            "children": [],
            "date_done": "2025-01-02T03:04:05+00:00",
            "task_id": "id-1",
        }
    ).encode()

    assert _parse("id-1", raw) == TaskRecord("id-1", "SUCCESS", {"price": "1.5"}, None, "2025-01-02T03:04:05+00:00")


@pytest.mark.parametrize("raw", [b"", b"\x80\x04K\x05.", b"[]", b"{}", b'"text"', b'{"status": "SUCCESS"}'])
def test_another_form_is_explained(raw):
    with pytest.raises(TaskClientError, match="result_serializer"):
        _parse("id-1", raw)
