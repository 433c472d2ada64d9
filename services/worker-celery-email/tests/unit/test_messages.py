"""What a caller may send, and what a refusal tells the caller."""

import pytest
from pydantic import TypeAdapter, ValidationError

from app.messages import Body, Channels, Name, OutgoingEmail, Subject

ADA = "ada@example.com"


@pytest.mark.parametrize("text", ["Hi\r\nBcc: eve@example.com", "Hi\nthere", "a\x00b", "a\x85b", "a\u2028b"])
@pytest.mark.parametrize("kind", [Subject, Name])
def test_a_text_for_a_header_cannot_begin_another_header(kind, text):
    with pytest.raises(ValidationError, match="must be one line"):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize("text", ["", "   ", "x" * 256])
def test_a_subject_has_1_to_255_characters(text):
    with pytest.raises(ValidationError):
        TypeAdapter(Subject).validate_python(text)


def test_a_subject_is_stripped_and_keeps_its_emoji():
    assert TypeAdapter(Subject).validate_python("  Grüße 👩‍💻 \n") == "Grüße 👩‍💻"


def test_a_body_of_30_mb_is_refused_with_the_way_out_and_not_repeated():
    with pytest.raises(ValidationError) as refusal:
        OutgoingEmail(to=ADA, subject="Report", body="x" * 30_000_000)
    assert "store the document and send a link" in str(refusal.value)
    assert len(str(refusal.value)) < 1000


def test_the_contract_names_the_limit_of_a_body():
    assert TypeAdapter(Body).json_schema() == {"maxLength": 200_000, "type": "string"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"to": ""},
        {"to": "nobody"},
        {"to": "ada@example.com\r\nBcc: eve@example.com"},
        {"cc": ["not an address"]},
        {"cc": [ADA] * 51},
        {"reply_to": "x@y@z"},
        {"bcc": ["eve@example.com"]},
    ],
)
def test_wrong_addresses_and_unknown_fields_are_refused(wrong):
    with pytest.raises(ValidationError):
        OutgoingEmail(**{"to": ADA, "subject": "Hi", "body": "Hi"} | wrong)


def test_an_international_domain_is_written_as_every_server_knows_it():
    mail = OutgoingEmail(to="ada@müller.example", subject="Hi", body="Hi")
    assert mail.to == "ada@xn--mller-kva.example"


def test_a_channel_without_addresses_is_refused():
    with pytest.raises(ValidationError):
        TypeAdapter(Channels).validate_python({"ops": []})
