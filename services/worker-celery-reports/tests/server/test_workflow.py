"""A report and its mail as a chain, on a real worker of this service and one of the email service."""

import email
import email.policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from celery import Celery, chain

from devstack.waiting import wait_for
from devstack.worker import WorkerProcess

SERVICES = Path(__file__).parents[3]
DAILY = "app.tasks.reports.generate_daily_report"
SEND = "app.tasks.reports.send_report"
NOTIFY = "app.tasks.email.send_notification"


class Mailbox:
    def __init__(self):
        self.mails = []

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802  - aiosmtpd's name
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


class AnyPort(Controller):
    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mailbox():
    server = AnyPort(Mailbox(), hostname="127.0.0.1", port=0)
    server.start()
    server.handler.port = server.port
    yield server.handler
    server.stop()


@pytest.fixture
def workers(valkey, year, mailbox, tmp_path):
    settings = {
        "DATABASE_URL": year.url,
        "STORAGE_URL": f"file://{tmp_path}/storage",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(mailbox.port),
        "SMTP_STARTTLS": "false",
        "CELERYCONFIG_WORKER_CONCURRENCY": "1",
    }
    for name in ("reports", "email"):
        (tmp_path / name).mkdir()
    processes = [
        WorkerProcess(
            valkey, SERVICES / f"worker-celery-{name}", "app.celery_app", folder=tmp_path / name, settings=settings
        )
        for name in ("reports", "email")
    ]
    with processes[0], processes[1]:
        yield processes


@pytest.fixture
def plain(valkey):
    """What a caller has that knows only the names of tasks."""
    with Celery(broker=valkey.url, backend=valkey.url.replace("/0", "/1"), set_as_current=False) as app:
        yield app


def step(app, name, **payload):
    return app.signature(name, kwargs=payload, queue=name.split(".")[2])


def test_who_waits_for_the_report_to_be_sent_waits_for_the_mail(workers, plain, mailbox):
    steps = [step(plain, DAILY, day="2013-07-22"), step(plain, SEND, to=["ada@example.com", "bob@example.com"])]
    sent = chain(*steps, app=plain).apply_async()
    receipt = sent.get(timeout=60)
    assert receipt == {
        "message_id": f"<{sent.id}@mail.example.com>",
        "recipients": ["ada@example.com", "bob@example.com"],
    }
    [mail] = mailbox.mails
    report = sent.parent.get(timeout=5)
    assert mail["Subject"] == report["title"] == "Daily report, Monday, 22 July 2013"
    assert "Least on time: Endeavor Air Inc." in mail.get_body(["plain"]).get_content()
    assert "41.8\xa0%" in mail.get_body(["html"]).get_content()
    attached = {part.get_filename(): part for part in mail.iter_attachments()}
    assert [part.get_content_type() for part in attached.values()] == ["application/pdf", "text/csv"]
    assert {name: len(part.get_payload(decode=True)) for name, part in attached.items()} == {
        "report.pdf": report["pdf"]["size"],
        "flights.csv": report["csv"]["size"],
    }


def test_a_chain_goes_on_after_the_mail_and_its_recipients_have_a_default(workers, plain, mailbox):
    last = step(plain, NOTIFY, channel="ops", message="The report is out", subject="Done").set(immutable=True)
    chain(step(plain, DAILY), step(plain, SEND), last, app=plain).apply_async().get(timeout=60)
    wait_for(lambda: len(mailbox.mails) == 2)
    assert [mail["Subject"] for mail in mailbox.mails] == ["Daily report, Tuesday, 31 December 2013", "Done"]
    assert mailbox.mails[0]["To"] == "ops@example.com"


def test_the_same_task_sent_again_makes_no_second_mail(workers, plain, mailbox):
    report = step(plain, DAILY, day="2013-07-22").apply_async().get(timeout=60)
    for _ in range(2):
        plain.send_task(SEND, kwargs={"report": report}, queue="reports", task_id="mail-of-the-day")
    other = plain.send_task(SEND, kwargs={"report": report}, queue="reports", task_id="another-mail")
    other.get(timeout=60)
    wait_for(lambda: len(mailbox.mails) >= 2)
    assert {mail["Message-ID"] for mail in mailbox.mails} == {
        "<mail-of-the-day@mail.example.com>",
        "<another-mail@mail.example.com>",
    }
    assert len(mailbox.mails) == 2
