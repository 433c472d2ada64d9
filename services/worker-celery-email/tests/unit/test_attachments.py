"""What is attached to a mail, and what is refused."""

import asyncio

import pytest
from pydantic import ValidationError

from app.messages import Attachment, OutgoingEmail
from app.processors.email_processor import EmailProcessor
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import StoredFile

ADA = "ada@example.com"


class FakeAttachments:
    def __init__(self):
        self.fails_with = None

    async def fetch(self, file):
        if self.fails_with:
            raise self.fails_with
        return Attachment(file.path.rpartition("/")[2], "text/csv", b"a,b\n")


@pytest.fixture
def files():
    return FakeAttachments()


@pytest.fixture
def emails(mailer, files):
    limits = {"attachments": files, "max_attachment_bytes": 1000}
    return EmailProcessor(mailer, sender="hello@acme.example", message_id_domain="acme.example", **limits)


def reference(path="reports/flights.csv", size=500):
    return StoredFile(path=path, size=size, sha256="0" * 64)


def mail(*attachments, **more):
    return OutgoingEmail(to=ADA, subject="Report", body="See below.\n", attachments=list(attachments), **more)


def test_text_html_and_attachments_stand_together(emails, mailer):
    asyncio.run(emails.send(mail(reference(), reference("x/Übersicht 2.csv"), html="<p>See below.</p>\n"), "k1"))
    assert mailer.last.get_content_type() == "multipart/mixed"
    assert mailer.last.get_body(["html"]).get_content() == "<p>See below.</p>\n"
    attached = [(part.get_filename(), part.get_content_type()) for part in mailer.last.iter_attachments()]
    assert attached == [("flights.csv", "text/csv"), ("Übersicht 2.csv", "text/csv")]


def test_too_many_bytes_are_refused_before_any_is_read(emails, mailer, files):
    files.fails_with = AssertionError("was read")
    with pytest.raises(PermanentError, match=r"1,001 bytes and a mail takes 1,000: .*MAIL_MAX_ATTACHMENT_BYTES"):
        asyncio.run(emails.send(mail(reference(), reference(size=501)), "k1"))
    assert mailer.sent == []


def test_the_limit_itself_is_allowed(emails, mailer):
    asyncio.run(emails.send(mail(reference(), reference()), "k1"))
    assert len(mailer.sent) == 1


@pytest.mark.parametrize(("size", "most"), [(500_001, 1), (500_000, 4)])
def test_mails_with_large_attachments_go_one_after_the_other(files, size, most):
    now, counts = [], []

    class SlowMailer:
        async def deliver(self, message, _recipients):
            now.append(message)
            counts.append(len(now))
            while len(counts) < most:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.02)
            now.remove(message)

    async def send_four():
        options = {"sender": "hello@acme.example", "message_id_domain": "acme.example", "attachments": files}
        emails = EmailProcessor(SlowMailer(), **options)
        await asyncio.gather(*(emails.send(mail(reference(size=size)), f"k{n}") for n in range(4)))

    asyncio.run(send_four())
    assert (len(counts), max(counts)) == (4, most)


def test_what_cannot_be_fetched_is_not_left_out(emails, mailer, files):
    files.fails_with = TransientError("the storage is away")
    with pytest.raises(TransientError, match="storage"):
        asyncio.run(emails.send(mail(reference()), "k1"))
    assert mailer.sent == []


def test_eleven_attachments_and_paths_out_of_the_storage_are_refused():
    with pytest.raises(ValidationError, match="at most 10 items"):
        mail(*[reference()] * 11)
    with pytest.raises(ValidationError, match="must be a relative path"):
        mail({"path": "../secret", "size": 1, "sha256": "0" * 64})


def test_a_processor_without_storage_says_so(mailer):
    emails = EmailProcessor(mailer, sender="hello@acme.example", message_id_domain="acme.example")
    with pytest.raises(PermanentError, match="without a storage"):
        asyncio.run(emails.send(mail(reference()), "k1"))
