"""The SMTP adapter against servers that take, refuse, hang and break off."""

import asyncio
import contextlib
import email
import email.policy
import socket
import threading
import time
from email.message import EmailMessage

import pytest

from app.adapters.smtp import SmtpMailer
from app.messages import OutgoingEmail
from app.processors.email_processor import EmailProcessor
from devstack.waiting import wait_for
from workerkit.errors import PermanentError, TransientError

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
EHLO, OK, GO, BYE = "250 test", "250 OK", "354 go on", "221 bye"
SECRET_BODY = "for Ada's eyes only"


def send(port, *, key="k1", starttls=False, mail=None, **options):
    mailer = SmtpMailer("127.0.0.1", port, starttls=starttls, **options)
    processor = EmailProcessor(mailer, sender="Acme <hello@acme.example>", message_id_domain="acme.example")
    fields = {"to": ADA, "subject": "Hello", "body": SECRET_BODY} | (mail or {})
    return asyncio.run(processor.send(OutgoingEmail(**fields), key))


def received(mailbox):
    [envelope] = mailbox.mails
    return email.message_from_bytes(envelope.content, policy=email.policy.default)


def written(part):
    return part.get_content().replace("\r\n", "\n")


def test_text_and_html_arrive_as_they_were_written(serve, mailbox):
    text = "Grüße, 世界 👋\n.a line that begins with a dot\n\nFrom here\n" + "long " * 500 + "\n"
    html = "<p>Grüße, 世界 👋</p>\n"
    send(serve(), mail={"body": text, "html": html, "subject": "Überraschung 👋 " * 15})
    message = received(mailbox)
    assert [written(part) for part in message.iter_parts()] == [text, html]
    assert message["Subject"] == ("Überraschung 👋 " * 15).strip()
    assert mailbox.mails[0].content.isascii()


def test_lone_carriage_returns_cannot_end_the_mail_early(serve, mailbox):
    send(serve(), mail={"body": "one\r.\rtwo\n.\nMAIL FROM:<eve@example.com>\n"})
    assert written(received(mailbox)) == "one\n.\ntwo\n.\nMAIL FROM:<eve@example.com>\n"


def test_headers_and_envelope(serve, mailbox):
    receipt = send(serve(), mail={"cc": [BOB], "reply_to": EVE})
    message = received(mailbox)
    assert (message["To"], message["Cc"], message["Reply-To"]) == (ADA, BOB, EVE)
    assert mailbox.mails[0].mail_from == "hello@acme.example"
    assert mailbox.mails[0].rcpt_tos == receipt.recipients == [ADA, BOB]
    assert message["Message-ID"] == receipt.message_id == "<k1@acme.example>"


def test_a_mail_sent_again_has_the_same_message_id(serve, mailbox):
    port = serve()
    for _ in range(2):
        send(port)
    first, second = (email.message_from_bytes(envelope.content) for envelope in mailbox.mails)
    assert first["Message-ID"] == second["Message-ID"]


def test_an_international_address_goes_to_a_server_that_takes_it(serve, mailbox):
    send(serve(), mail={"to": "jörg@example.com"})
    assert mailbox.mails[0].rcpt_tos == ["jörg@example.com"]
    assert received(mailbox)["To"] == "jörg@example.com"


@pytest.mark.parametrize("mail", [{"to": "jörg@example.com"}, {"reply_to": "jörg@example.com"}])
def test_an_international_address_is_refused_for_a_server_that_does_not(serve, mailbox, mail):
    with pytest.raises(PermanentError, match="ASCII addresses only"):
        send(serve(enable_SMTPUTF8=False), mail=mail)
    assert mailbox.mails == []


@pytest.mark.parametrize(("answer", "kind"), [("550 unknown", PermanentError), ("451 busy", TransientError)])
@pytest.mark.parametrize("refused", [ADA, EVE])
def test_one_refused_recipient_means_that_nobody_gets_the_mail(serve, mailbox, answer, kind, refused):
    mailbox.refuse = {refused: answer}
    with pytest.raises(kind, match=rf"Sent to nobody.*{refused} \({answer[:3]}\)"):
        send(serve(), mail={"cc": [BOB, EVE]})
    assert mailbox.mails == []


def test_all_refused_recipients_are_listed_and_one_5xx_decides(serve, mailbox):
    mailbox.refuse = {ADA: "550 unknown", EVE: "451 busy"}
    with pytest.raises(PermanentError, match=rf"{ADA} \(550\), {EVE} \(451\)"):
        send(serve(), mail={"cc": [BOB, EVE]})


@pytest.mark.parametrize(("answer", "kind"), [("552 too large", PermanentError), ("452 full", TransientError)])
def test_content_that_is_refused(serve, mailbox, answer, kind):
    mailbox.answer = answer
    with pytest.raises(kind, match=answer) as failure:
        send(serve())
    assert SECRET_BODY not in str(failure.value)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        (["554 go away"], PermanentError),
        (["421 come back later"], TransientError),
        (["220 hi", EHLO, "553 bad sender"], PermanentError),
        (["220 hi", EHLO, "450 not now"], TransientError),
        (["220 hi", EHLO, OK, OK, "554 no"], PermanentError),
        (["220 hi", EHLO, OK, OK, "250 what?"], TransientError),
        (["no smtp at all"], TransientError),
    ],
)
def test_a_refused_conversation(recite, answers, kind):
    with pytest.raises(kind):
        send(recite(*answers))


@pytest.mark.parametrize("said", range(6))
def test_a_server_that_closes_the_connection(recite, said):
    """At the greeting, at any command, or in the middle of the mail."""
    with pytest.raises(TransientError, match="is away"):
        send(recite(*["220 hi", EHLO, OK, OK, GO][:said]))


@pytest.mark.parametrize("said", [0, 1, 5])
def test_a_server_that_hangs(recite, said):
    begin = time.monotonic()
    with pytest.raises(TransientError, match="Timed out"):
        send(recite(*["220 hi", EHLO, OK, OK, GO][:said], hang=True), timeout_seconds=0.2)
    assert time.monotonic() - begin < 15


@pytest.fixture
def slow_reader():
    """A server that says 354 and reads the mail only when `let_read` is set: its port, `let_read`, what it has read."""
    let_read, content = threading.Event(), bytearray()

    def serve(listener):
        client, _ = listener.accept()
        with client, client.makefile("rb") as lines:
            for answer in ("220 hi", EHLO, OK, OK, GO):
                client.sendall(answer.encode() + b"\r\n")
                if answer != GO:
                    lines.readline()
            let_read.wait()
            with contextlib.suppress(ConnectionError):
                while piece := lines.read1():
                    content.extend(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what it has not read stays at the sender
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1], let_read, content
        let_read.set()
        thread.join()


def test_of_a_mail_that_took_too_long_no_more_is_sent(slow_reader):
    """Else the server would take it after all, and once more with each retry."""
    port, let_read, content = slow_reader
    message = EmailMessage()
    message["From"] = "hello@acme.example"
    message.add_attachment(bytes(10_000_000), maintype="application", subtype="octet-stream")

    async def deliver_and_look():
        with pytest.raises(TransientError, match="Timed out"):
            await SmtpMailer("127.0.0.1", port, starttls=False, timeout_seconds=0.5).deliver(message, [ADA])
        let_read.set()
        size = -1
        while size != len(content):
            size = len(content)
            await asyncio.sleep(0.5)

    asyncio.run(deliver_and_look())
    assert not content.endswith(b"\r\n.\r\n")
    assert len(content) < 10_000_000


def test_a_cancelled_conversation_ends_with_quit(serve, mailbox):
    mailbox.may_answer.clear()
    mailer = SmtpMailer("127.0.0.1", serve(), starttls=False)
    message = EmailMessage()
    message["From"] = "hello@acme.example"

    async def give_up():
        delivering = asyncio.create_task(mailer.deliver(message, [ADA]))
        while not mailbox.asked:
            await asyncio.sleep(0.01)
        delivering.cancel()
        await asyncio.sleep(0.01)  # it says QUIT
        mailbox.may_answer.set()
        with pytest.raises(asyncio.CancelledError):
            await delivering

    asyncio.run(give_up())
    wait_for(lambda: mailbox.quits == 1)
    assert mailbox.mails == []


def test_an_answer_that_is_no_text(recite):
    with pytest.raises(PermanentError, match=r"550 Empf.nger$") as failure:
        send(recite("220 hi", EHLO, "550 Empf\udce4nger"))
    assert str(failure.value).isascii()


def test_nothing_listens(closed_port):
    with pytest.raises(TransientError, match="ConnectionRefusedError"):
        send(closed_port)


@pytest.mark.parametrize("goodbye", [[], ["500 you cannot leave"]])
def test_a_mail_that_was_taken_stays_sent_whatever_quit_says(recite, goodbye):
    assert send(recite("220 hi", EHLO, OK, OK, GO, OK, *goodbye)).recipients == [ADA]


def test_a_mail_that_was_taken_stays_sent_when_the_server_hangs_at_quit(recite):
    assert send(recite("220 hi", EHLO, OK, OK, GO, OK, hang=True), timeout_seconds=0.2).recipients == [ADA]


def test_starttls_with_an_authority_from_a_file(serve, mailbox, tls, certificate):
    send(serve(**tls, require_starttls=True), starttls=True, ca_file=certificate[0])
    assert len(mailbox.mails) == 1


def test_starttls_with_an_unknown_authority_sends_nothing(serve, mailbox, tls):
    with pytest.raises(PermanentError, match=r"not trusted \(self-signed certificate\).*SMTP_CA_FILE"):
        send(serve(**tls), starttls=True)
    assert mailbox.mails == []


def test_a_server_without_starttls_gets_nothing(serve, mailbox):
    with pytest.raises(PermanentError, match="STARTTLS"):
        send(serve(), starttls=True)
    assert mailbox.mails == []


@pytest.mark.parametrize(("answer", "kind"), [("454 not now", TransientError), ("250 OK", TransientError)])
def test_starttls_that_is_offered_and_then_refused(recite, answer, kind):
    with pytest.raises(kind):
        send(recite("220 hi", "250-test\r\n250 STARTTLS", answer), starttls=True)


def test_login(login_server, mailbox, certificate):
    send(login_server, starttls=True, ca_file=certificate[0], username="ada", password="right")
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"username": "ada", "password": "w-r-o-n-g"}, PermanentError),
        ({"username": "ada", "password": "w-r-ö-n-g"}, PermanentError),
        ({"username": "bob", "password": "w-r-o-n-g"}, TransientError),
    ],
)
def test_a_refused_login_names_the_settings_and_no_password(login_server, mailbox, certificate, wrong, kind):
    with pytest.raises(kind, match="check SMTP_USERNAME and SMTP_PASSWORD") as failure:
        send(login_server, starttls=True, ca_file=certificate[0], **wrong)
    assert wrong["password"] not in repr((failure.value.args, failure.value.__cause__))
    assert mailbox.mails == []


@pytest.mark.parametrize("features", ["250 test", "250-test\r\n250 AUTH GSSAPI"])
def test_a_server_without_a_login_that_we_know(recite, features):
    with pytest.raises(PermanentError, match="SMTP_USERNAME"):
        send(recite("220 hi", features), username="ada", password="right")
