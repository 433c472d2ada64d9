"""What the mailer gets to send."""

import asyncio

import pytest

from app.messages import OutgoingEmail
from workerkit.errors import TransientError

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


def mail(**more):
    return OutgoingEmail(**{"to": ADA, "subject": "Grüße", "body": "Straße\n"} | more)


def test_a_plain_mail_has_one_part_and_all_headers(emails, mailer):
    asyncio.run(emails.send(mail(), "k1"))
    assert mailer.last.get_content() == "Straße\n"
    assert mailer.last.get_content_type() == "text/plain"
    assert mailer.last["From"] == "Acme <hello@acme.example>"
    assert mailer.last["Subject"] == "Grüße"
    assert mailer.last["Date"].datetime.tzinfo
    assert "Cc" not in mailer.last
    assert "Reply-To" not in mailer.last


def test_html_is_an_alternative_to_the_text(emails, mailer):
    asyncio.run(emails.send(mail(html="<p>Straße</p>\n"), "k1"))
    text, html = mailer.last.iter_parts()
    assert mailer.last.get_content_type() == "multipart/alternative"
    assert (text.get_content(), html.get_content()) == ("Straße\n", "<p>Straße</p>\n")


def test_cc_and_reply_to(emails, mailer):
    receipt = asyncio.run(emails.send(mail(cc=[BOB, EVE], reply_to=EVE), "k1"))
    assert mailer.last["Cc"] == f"{BOB}, {EVE}"
    assert mailer.last["Reply-To"] == EVE
    assert receipt.recipients == [ADA, BOB, EVE]


def test_an_address_in_both_to_and_cc_gets_one_mail(emails, mailer):
    assert asyncio.run(emails.send(mail(cc=[ADA, BOB, BOB]), "k1")).recipients == [ADA, BOB]
    assert mailer.sent[0][1] == [ADA, BOB]


def test_the_same_key_gives_the_same_message_id_and_another_key_another(emails, mailer):
    first, again, other = (asyncio.run(emails.send(mail(), key)).message_id for key in ("k1", "k1", "k2"))
    assert first == again == "<k1@acme.example>" != other
    assert [message["Message-ID"] for message, _ in mailer.sent] == [first, again, other]


@pytest.mark.parametrize("key", ["", "x>\r\nBcc: eve@example.com", "ünï", "k" * 500, "a b"])
def test_a_key_that_no_header_takes_still_gives_one_steady_message_id(emails, mailer, key):
    first, again = asyncio.run(emails.send(mail(), key)), asyncio.run(emails.send(mail(), key))
    assert first.message_id == again.message_id == mailer.last["Message-ID"]
    assert len(first.message_id) < 90
    assert "Bcc" not in mailer.last


def test_the_mailers_error_reaches_the_task(emails, mailer):
    mailer.fails_with = TransientError("away")
    with pytest.raises(TransientError, match="away"):
        asyncio.run(emails.send(mail(), "k1"))
