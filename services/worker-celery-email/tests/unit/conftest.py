"""Fakes that a test can read: a mailer that keeps what it gets, and a directory that knows one user."""

import pytest

from app.processors.email_processor import EmailProcessor
from workerkit.errors import PermanentError


class FakeMailer:
    def __init__(self):
        self.sent = []
        self.fails_with = None

    async def deliver(self, message, recipients):
        if self.fails_with:
            raise self.fails_with
        self.sent.append((message, list(recipients)))

    @property
    def last(self):
        return self.sent[-1][0]


class FakeDirectory:
    async def address_of(self, user_id):
        if user_id != 7:
            raise PermanentError(f"There is no user {user_id}")
        return "ada@example.com"


@pytest.fixture
def mailer():
    return FakeMailer()


@pytest.fixture
def directory():
    return FakeDirectory()


@pytest.fixture
def emails(mailer):
    return EmailProcessor(mailer, sender="Acme <hello@acme.example>", message_id_domain="acme.example")
