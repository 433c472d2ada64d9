"""Attachments from a real folder to a real mail server."""

import asyncio
import email
import email.policy

import pytest

from app.adapters.attachments import StorageAttachments
from app.adapters.smtp import SmtpMailer
from app.messages import OutgoingEmail
from app.processors.email_processor import EmailProcessor
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import Storage

TABLE = "Fluß,Ort\r\n1,Köln\r\n".encode()
ANYTHING = bytes(range(256)) * 50


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}/files")


@pytest.fixture
def fetch(tmp_path):
    stored = StorageAttachments(f"file://{tmp_path}/files")
    return lambda file: asyncio.run(stored.fetch(file))


def test_a_mail_brings_the_files_byte_for_byte(serve, mailbox, storage, tmp_path):
    files = [storage.put("reports/a day/table.csv", TABLE), storage.put("reports/report.PDF", ANYTHING)]
    mailer = SmtpMailer("127.0.0.1", serve(), starttls=False)
    stored = StorageAttachments(f"file://{tmp_path}/files")
    options = {"sender": "hello@acme.example", "message_id_domain": "acme.example", "attachments": stored}
    mail = OutgoingEmail(to="ada@example.com", subject="Report", body="Hello\n", attachments=files)
    asyncio.run(EmailProcessor(mailer, **options).send(mail, "k1"))
    [envelope] = mailbox.mails
    received = email.message_from_bytes(envelope.content, policy=email.policy.default)
    parts = {part.get_filename(): part for part in received.iter_attachments()}
    assert {name: part.get_payload(decode=True) for name, part in parts.items()} == {
        "table.csv": TABLE,
        "report.PDF": ANYTHING,
    }
    assert [part.get_content_type() for part in parts.values()] == ["text/csv", "application/pdf"]
    assert envelope.content.isascii()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("report.html", "text/html"),
        ("picture.png", "image/png"),
        ("table.csv.gz", "application/octet-stream"),
        ("old.eml", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_the_type_follows_from_the_name(storage, fetch, name, content_type):
    assert fetch(storage.put(f"files/{name}", b"x")).content_type == content_type


def test_a_file_that_is_gone(storage, fetch):
    file = storage.put("reports/report.pdf", ANYTHING)
    storage.delete(file.path)
    with pytest.raises(PermanentError, match=r"there is no file .*report\.pdf"):
        fetch(file)


@pytest.mark.parametrize("now", [b"longer than it was", b"other"])
def test_a_file_that_has_changed(storage, fetch, now):
    file = storage.put("reports/report.pdf", b"first")
    storage.put("reports/report.pdf", now)
    with pytest.raises(PermanentError, match=r"has been replaced|another SHA-256"):
        fetch(file)


def test_a_storage_that_is_away(storage, fetch, tmp_path):
    file = storage.put("reports/report.pdf", ANYTHING)
    (tmp_path / "files" / "reports" / "report.pdf").unlink()
    (tmp_path / "files" / "reports").rmdir()
    (tmp_path / "files" / "reports").write_bytes(b"a file where the folder was")
    with pytest.raises(TransientError, match="the storage answered"):
        fetch(file)
