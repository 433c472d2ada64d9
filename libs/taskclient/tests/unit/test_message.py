import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from taskclient.message import build_message, redacted

NAME = "app.tasks.demo.add"


def built(payload: dict | None = None, **options) -> dict:
    return json.loads(build_message(NAME, payload or {}, queue="demo", task_id="id-1", **options))


def test_body_is_args_kwargs_and_embed():
    body = json.loads(base64.b64decode(built({"to": "ada"})["body"]))

    assert body == [[], {"to": "ada"}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]


def test_values_do_not_show_in_the_headers():
    message = built({"to": "ada@example.com", "token": "s3cret"})

    assert message["headers"]["kwargsrepr"] == "{'to': ..., 'token': ...}"
    assert "s3cret" not in json.dumps({**message, "body": ""})


def test_many_names_are_cut():
    assert len(redacted([f"field_{number}" for number in range(1000)])) == 1024
    assert redacted([]) == "{}"


def test_correlation_id_is_the_tasks_id_unless_given():
    assert built()["headers"]["x-correlation-id"] == "id-1"
    assert built(correlation_id="c")["headers"]["x-correlation-id"] == "c"
    assert built(correlation_id="c")["properties"]["correlation_id"] == "id-1"


def test_an_idempotency_key_is_a_header_of_that_name_or_none_at_all():
    assert built(idempotency_key="order-42")["headers"]["idempotency-key"] == "order-42"
    assert "idempotency-key" not in built()["headers"]


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_that_would_be_everybodys_or_is_too_long_is_refused(key):
    with pytest.raises(ValueError, match=r"idempotency key .* take 1 to 255"):
        built(idempotency_key=key)


def test_times_are_iso_with_zone():
    soon = datetime.now(UTC) + timedelta(seconds=60)
    message = built(eta=soon, expires=soon)

    assert message["headers"]["eta"] == message["headers"]["expires"] == soon.isoformat()
    assert 50_000 < int(message["properties"]["expiration"]) <= 60_000
    assert "expiration" not in built()["properties"]


def test_an_expiry_in_the_past_is_zero():
    assert built(expires=datetime(2020, 1, 1, tzinfo=UTC))["properties"]["expiration"] == "0"


def test_each_message_has_its_own_delivery_tag():
    assert built()["properties"]["delivery_tag"] != built()["properties"]["delivery_tag"]
