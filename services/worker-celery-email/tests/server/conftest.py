"""Real servers on this machine: aiosmtpd in a thread, and a server that speaks a script and then falls silent."""

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devstack.valkey import Valkey
from devstack.worker import WORKER, WorkerProcess
from taskclient.client import TaskClient

SERVICE = Path(__file__).parents[2]
_ONE_PROCESS = {"CELERYCONFIG_WORKER_CONCURRENCY": "1"}  # as the service itself has it


class Mailbox:
    """Keeps every mail it takes; `refuse` maps an address to the server's answer, `answer` is the one to DATA.

    `data_seconds` pass before the answer to DATA, and while `may_answer` is not set there is none to RCPT; `asked` are
    the recipients so far, `open` the conversations, `most_open` how many of them there were at a time.
    """

    def __init__(self):
        self.mails = []
        self.refuse = {}
        self.answer = "250 OK"
        self.data_seconds = self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.open, self.most_open, self.quits = set(), 0, 0

    async def handle_EHLO(self, _server, session, _envelope, hostname, responses):  # noqa: N802 - aiosmtpd's name
        session.host_name = hostname
        self.open.add(session.peer)
        self.most_open = max(self.most_open, len(self.open))
        return responses

    async def handle_QUIT(self, _server, session, _envelope):  # noqa: N802 - aiosmtpd's name
        self.open.discard(session.peer)
        self.quits += 1
        return "221 Bye"

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        self.asked += 1
        while not self.may_answer.is_set():
            await asyncio.sleep(0.01)
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        await asyncio.sleep(self.data_seconds)
        if self.answer.startswith("250"):
            self.mails.append(envelope)
        return self.answer


class AnyPort(Controller):
    """Listens on a port that the system picks."""

    def _trigger_server(self):
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def mailbox():
    return Mailbox()


@pytest.fixture
def serve(mailbox):
    """Starts an aiosmtpd server with the given options and returns its port."""
    with contextlib.ExitStack() as running:

        def start(**options):
            server = AnyPort(mailbox, hostname="127.0.0.1", port=0, **options)
            server.start()
            running.callback(server.stop)
            return server.port

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A self-signed certificate for 127.0.0.1: a PEM file with the certificate, and one with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("tls")
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def tls(certificate):
    """Options that make a server offer STARTTLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return {"tls_context": context}


@pytest.fixture
def login_server(serve, tls):
    """The port of a server that asks for ada's password, after STARTTLS only, and cannot check bob's today."""

    def check(_server, _session, _envelope, _mechanism, given):
        if given.login == b"bob":
            return AuthResult(success=False, handled=False, message="454 4.7.0 Try later")
        return AuthResult(success=(given.login, given.password) == (b"ada", b"right"), handled=False)

    return serve(authenticator=check, auth_required=True, **tls)


@pytest.fixture
def recite():
    """Starts a server for one client: one answer to each line, then it hangs up, or hangs; returns its port."""
    with contextlib.ExitStack() as running:

        def start(*answers, hang=False):
            listener = running.enter_context(socket.create_server(("127.0.0.1", 0)))
            finished = threading.Event()
            thread = threading.Thread(target=_speak, args=(listener, answers, finished if hang else None))
            thread.start()
            running.callback(thread.join)
            running.callback(finished.set)
            return listener.getsockname()[1]

        yield start


def _speak(listener, answers, wait_for):
    client, _ = listener.accept()
    with client, client.makefile("rb") as lines:
        for answer in answers:
            client.sendall(answer.encode(errors="surrogateescape") + b"\r\n")
            line = lines.readline()
            while answer.startswith("354") and line not in (b".\r\n", b""):
                line = lines.readline()
        if wait_for:
            wait_for.wait()


@pytest.fixture
def closed_port():
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def start(valkey: Valkey, serve: Callable[..., int], tmp_path: Path, run_worker: Callable[..., WorkerProcess]):
    """Starts the service's worker on a mail server, with more settings."""
    port = serve()

    def start_worker(**more: str) -> WorkerProcess:
        settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "SMTP_STARTTLS": "false", **_ONE_PROCESS, **more}
        options: dict[str, Any] = {"folder": tmp_path, "arguments": WORKER, "settings": settings}
        return run_worker(WorkerProcess(valkey, SERVICE, "app.celery_app", **options))

    return start_worker


@pytest.fixture
def client(valkey: Valkey):
    with TaskClient(valkey.url) as connected:
        yield connected
