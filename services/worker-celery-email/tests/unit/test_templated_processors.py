"""The welcome mail and the notification."""

import asyncio

import pytest
from jinja2 import UndefinedError

from app.processors.notification_processor import NotificationProcessor
from app.processors.templates import render
from app.processors.welcome_processor import WelcomeProcessor
from workerkit.errors import PermanentError

ADA, BOB = "ada@example.com", "bob@example.com"


def parts(message):
    return [part.get_content() for part in message.iter_parts()]


@pytest.mark.parametrize("user", [ADA, 7])
def test_a_user_is_welcomed_by_address_or_by_id(emails, mailer, directory, user):
    receipt = asyncio.run(WelcomeProcessor(emails, product="Acme", directory=directory).send(user, "Ada", "k1"))
    text, html = parts(mailer.last)
    assert receipt.recipients == [ADA]
    assert mailer.last["Subject"] == "Welcome to Acme, Ada"
    assert "Welcome, Ada!" in text
    assert "Welcome, Ada!</h1>" in html


def test_markup_in_a_name_is_escaped_in_html_and_left_alone_in_text(emails, mailer):
    asyncio.run(WelcomeProcessor(emails, product="Q&A").send(ADA, "<script>alert('x')</script>", "k1"))
    text, html = parts(mailer.last)
    assert "Welcome, <script>alert('x')</script>!" in text
    assert "Your Q&A account" in text
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_template_syntax_in_a_name_stays_text(emails, mailer):
    asyncio.run(WelcomeProcessor(emails, product="Acme").send(ADA, "{{ 7 * 7 }}", "k1"))
    assert "Welcome, {{ 7 * 7 }}!" in parts(mailer.last)[0]


def test_an_id_without_a_directory_teaches_what_to_do(emails, mailer):
    with pytest.raises(PermanentError, match=r"user 7.*pass the mail address or set USER_DIRECTORY_URL"):
        asyncio.run(WelcomeProcessor(emails, product="Acme").send(7, "Ada", "k1"))
    assert mailer.sent == []


def test_a_channel_has_one_to_and_the_others_in_cc(emails, mailer):
    notifications = NotificationProcessor(emails, product="Acme", channels={"ops": [ADA, BOB]})
    receipt = asyncio.run(notifications.send("ops", "Disk is full", "node 3 < 1 %\nnode 4 is fine", "k1"))
    text, html = parts(mailer.last)
    assert (mailer.last["To"], mailer.last["Cc"]) == (ADA, BOB)
    assert mailer.last["Subject"] == "Disk is full"
    assert receipt.recipients == [ADA, BOB]
    assert "node 3 < 1 %\nnode 4 is fine" in text
    assert "node 3 &lt; 1 %<br>node 4 is fine</p>" in html


@pytest.mark.parametrize(("channels", "known"), [({"ops": [ADA], "dev": [BOB]}, "dev, ops"), ({}, "none")])
def test_an_unknown_channel_is_answered_with_the_known_ones(emails, channels, known):
    notifications = NotificationProcessor(emails, product="Acme", channels=channels)
    with pytest.raises(PermanentError, match=rf"'opz' \(known: {known}\).*NOTIFICATION_CHANNELS"):
        asyncio.run(notifications.send("opz", "Hi", "Hi", "k1"))


def test_the_longest_texts_that_callers_may_send_fit_a_mail(emails, mailer):
    asyncio.run(WelcomeProcessor(emails, product="A" * 100).send(ADA, "&" * 100, "k1"))
    notifications = NotificationProcessor(emails, product="Acme", channels={"ops": [ADA]})
    asyncio.run(notifications.send("ops", "'" * 255, "\"'" * 5_000, "k2"))
    assert len(mailer.sent) == 2


def test_a_forgotten_value_is_an_error_and_not_a_hole_in_the_mail():
    with pytest.raises(UndefinedError, match="product"):
        render("welcome", name="Ada")
