"""The client's message is, field for field, the one that stock Celery puts into Redis."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery

NAME = "app.tasks.compare.add"
TASK_ID = "00000000-0000-4000-8000-000000000001"
PAYLOAD = {"text": "Grüße", "count": 3}
EXPECTED_TO_DIFFER = {
    ("headers", "origin"),  # names the sender
    ("headers", "kwargsrepr"),  # ours hides the values
    ("headers", "x-published-at"),  # the time
    ("properties", "reply_to"),  # only the rpc backend listens there
    ("properties", "delivery_tag"),  # a new UUID each time
    ("properties", "expiration"),  # milliseconds from now; Redis has no use for it
}


@pytest.fixture
def celery_app(valkey):
    with Celery("compare", broker=valkey.url, set_as_current=False) as app:
        yield app


def messages_of(broker, send) -> list[dict]:
    send()
    raw = broker.lrange("compare", 0, -1)
    broker.delete("compare")
    return [json.loads(one) for one in raw]


def flat(message: dict) -> dict[tuple[str, ...], object]:
    """Every field by its path, and its type where the value is meant to differ."""
    parts = {(part, key): value for part in ("headers", "properties") for key, value in message[part].items()}
    fields = {path: type(value) if path in EXPECTED_TO_DIFFER else value for path, value in parts.items()}
    rest = {(key,): value for key, value in message.items() if key not in {"body", "headers", "properties"}}
    return fields | rest | {("body",): json.loads(base64.b64decode(message["body"]))}


FAR = datetime.now(UTC) + timedelta(days=1)


@pytest.mark.parametrize(
    "options", [{}, {"eta": FAR}, {"expires": FAR}, {"eta": FAR, "expires": FAR + timedelta(hours=1)}]
)
def test_same_fields_as_stock_celery(celery_app, client, broker, options):
    headers = {"x-correlation-id": "c-1", "x-published-at": 0.0}
    if "eta" in options:
        headers["x-due-at"] = FAR.timestamp()

    [stock] = messages_of(
        broker,
        lambda: celery_app.send_task(
            NAME, kwargs=PAYLOAD, task_id=TASK_ID, queue="compare", headers=headers, **options
        ),
    )
    [ours] = messages_of(
        broker, lambda: client.send_payload(NAME, PAYLOAD, task_id=TASK_ID, correlation_id="c-1", **options)
    )

    assert flat(ours) == flat(stock)


def test_seconds_become_times(celery_app, client, broker):
    options = {"countdown": 5, "expires": 60}

    [stock] = messages_of(
        broker, lambda: celery_app.send_task(NAME, kwargs=PAYLOAD, task_id=TASK_ID, queue="compare", **options)
    )
    [ours] = messages_of(broker, lambda: client.send_payload(NAME, PAYLOAD, task_id=TASK_ID, **options))

    for field in ("eta", "expires"):
        apart = datetime.fromisoformat(ours["headers"][field]) - datetime.fromisoformat(stock["headers"][field])
        assert abs(apart) < timedelta(seconds=2)
    assert abs(int(ours["properties"]["expiration"]) - int(stock["properties"]["expiration"])) < 2000


def test_headers_are_those_of_as_task_v2(celery_app, client, broker):
    stock = celery_app.amqp.as_task_v2(TASK_ID, NAME, kwargs=PAYLOAD)

    [ours] = messages_of(broker, lambda: client.send_payload(NAME, PAYLOAD, task_id=TASK_ID))

    assert ours["headers"].keys() - stock.headers.keys() == {"x-correlation-id", "x-published-at"}
    assert stock.headers.keys() <= ours["headers"].keys()
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(json.dumps(stock.body))


def test_first_in_first_out_as_with_celery(celery_app, client, broker):
    celery_app.send_task(NAME, kwargs={}, task_id="first", queue="compare")
    client.send_payload(NAME, {}, task_id="second")

    order = [json.loads(broker.rpop("compare"))["headers"]["id"] for _ in range(2)]

    assert order == ["first", "second"]
