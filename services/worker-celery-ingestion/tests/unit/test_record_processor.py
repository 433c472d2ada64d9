"""Single records: where they are asked for, when, and what is refused."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.errors import NotYet
from app.messages import ApiTemplate, RecordId, SourceUrl, record_url, shown
from app.processors.record_processor import MAX_RECORD_BYTES, RecordProcessor
from workerkit.errors import PermanentError

TEMPLATE = "https://data.example/airports/{record}?key=secret"


class FakeTurns:
    def __init__(self):
        self.waits, self.asked = [], []

    def wait_seconds(self, api, caller):
        self.asked.append((api, caller))
        return self.waits.pop() if self.waits else 0.0


@pytest.fixture
def turns():
    return FakeTurns()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def processor(http, turns, slept):
    return RecordProcessor(http, turns, apis={"airports": TEMPLATE}, sleep=slept.append)


def test_the_record_comes_as_it_is(processor, http, turns):
    http.will_answer(b'{"faa": "JFK",', b' "tags": [1, null, {"a": 1.5}]}')
    assert processor.fetch("airports", "JFK", "t1") == {"faa": "JFK", "tags": [1, None, {"a": 1.5}]}
    assert http.asked == [("https://data.example/airports/JFK?key=secret", {})]
    assert turns.asked == [("airports", "t1")]


def test_an_unknown_api_names_the_known_ones(processor):
    with pytest.raises(PermanentError, match="no 'planes' in the setting APIS, which names airports"):
        processor.fetch("planes", "JFK", "t1")


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"<html>", b'{"a": 1', b"\xff"])
def test_what_is_no_json_object_is_refused_without_the_key(processor, http, body):
    http.will_answer(body)
    with pytest.raises(PermanentError, match=r"https://data.example/airports/JFK answered no JSON object"):
        processor.fetch("airports", "JFK", "t1")


@pytest.mark.parametrize("length", [None, MAX_RECORD_BYTES + 1])
def test_a_large_record_is_refused(processor, http, length):
    http.will_answer(b'{"a": "' + b"x" * MAX_RECORD_BYTES + b'"}', length=length)
    with pytest.raises(PermanentError, match=r"limit of 49,152.*as a file"):
        processor.fetch("airports", "JFK", "t1")


def test_a_near_turn_is_waited_for(processor, http, turns, slept):
    turns.waits = [0.8]
    http.will_answer(b"{}")
    processor.fetch("airports", "JFK", "t1")
    assert slept == [0.8]


@pytest.mark.parametrize(("wait", "pause"), [(1.2, 1.2), (5000.0, 1800.0)])
def test_a_far_turn_is_left_to_a_later_run(processor, http, turns, slept, wait, pause):
    turns.waits = [wait]
    with pytest.raises(NotYet, match="rate limit of 'airports'") as caught:
        processor.fetch("airports", "JFK", "t1")
    assert caught.value.seconds == pause
    assert http.asked == slept == []


@pytest.mark.parametrize(
    ("record", "quoted"),
    [("JFK", "JFK"), ("a/b?c=d#e", "a%2Fb%3Fc%3Dd%23e"), ("{record}", "%7Brecord%7D"), ("ü", "%C3%BC")],
)
def test_an_id_stays_one_segment(record, quoted):
    assert record_url(TEMPLATE, TypeAdapter(RecordId).validate_python(record)) == TEMPLATE.replace("{record}", quoted)


@pytest.mark.parametrize("record", ["", ".", "..", "../healthz", "a/../b", "a\\..\\b", "a\nb", "\0", "x" * 201])
def test_an_id_that_could_lead_elsewhere_is_refused(record):
    with pytest.raises(ValidationError):
        TypeAdapter(RecordId).validate_python(record)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/a", "data.example/a", "http:///a", ""])
def test_a_setting_that_is_no_url_is_refused(url):
    with pytest.raises(ValidationError, match="must be an http"):
        TypeAdapter(SourceUrl).validate_python(url)


@pytest.mark.parametrize("url", ["https://host/a", "https://{record}.host/a", "https://host/{record}/{record}"])
def test_a_template_has_its_record_once_and_behind_the_host(url):
    with pytest.raises(ValidationError, match="behind the host"):
        TypeAdapter(ApiTemplate).validate_python(url)


def test_an_address_is_shown_without_secrets():
    assert shown("https://ada:pw@host:8443/a/b?key=1#x") == "https://host:8443/a/b"
