"""A mail server for development: keeps every mail in memory, shows it on a page and as JSON.

`python -m devstack.mailcatcher --smtp-port 1025 --http-port 1080`; `GET /email` answers like MailDev, which has this
place in docker-compose.yml. A recipient `refused@...` is refused for good (550), `busy@...` for now (451).
"""

import argparse
import email
import email.policy
import html
import json
import signal
from dataclasses import dataclass, field
from email.message import EmailMessage, Message
from email.utils import getaddresses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

_REFUSALS = {"refused": "550 5.1.1 no such mailbox", "busy": "451 4.3.2 try again later"}


@dataclass
class Inbox:
    """Receives by SMTP, in aiosmtpd's handler protocol."""

    mails: list[dict[str, Any]] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Accept a recipient, but for the two that are there to be refused."""
        refusal = _REFUSALS.get(address.partition("@")[0])
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        self.mails.append(_describe(raw, envelope.rcpt_tos, number=len(self.mails)))
        return "250 Message accepted"


def _describe(raw: bytes, recipients: list[str], number: int) -> dict[str, Any]:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return {
        "id": str(number),
        "messageId": str(message["Message-ID"] or "").strip("<>"),
        "subject": str(message["Subject"] or ""),
        "from": _addresses(message, "From"),
        "to": _addresses(message, "To"),
        "cc": _addresses(message, "Cc"),
        "text": _part(message, "plain"),
        "html": _part(message, "html"),
        "attachments": [_about(part) for part in message.iter_attachments()],
        "headers": {name.lower(): str(value) for name, value in message.items()},
        "envelope": {"to": [{"address": address} for address in recipients]},
        "size": len(raw),
    }


def _addresses(message: EmailMessage, header: str) -> list[dict[str, str]]:
    pairs = getaddresses([str(value) for value in message.get_all(header, [])])
    return [{"name": name, "address": address} for name, address in pairs]


def _part(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    return part.get_content() if part else None


def _about(part: Message) -> dict[str, Any]:
    content = part.get_payload(decode=True) or b""
    return {"fileName": part.get_filename(), "contentType": part.get_content_type(), "length": len(content)}


def _page(inbox: Inbox) -> str:
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(cell)}</td>" for cell in (m["to"][0]["address"], m["subject"], m["text"] or ""))
        + "</tr>"
        for m in reversed(inbox.mails)
        if m["to"]
    )
    return f"<!doctype html><title>Mails</title><h1>{len(inbox.mails)} mails</h1><table border=1>{rows}</table>"


def _handler(inbox: Inbox) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = self._answer()
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self) -> tuple[int, str, bytes]:
            match self.path:
                case "/":
                    return 200, "text/html", _page(inbox).encode()
                case "/email":
                    return 200, "application/json", json.dumps(inbox.mails).encode()
                case "/healthz":
                    return 200, "application/json", b"true"
            return 404, "text/plain", b"not found"

        def log_message(self, *_: Any) -> None:
            """Keep quiet: every poll of a test would be a line."""

    return Handler


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=1080)
    options = parser.parse_args()
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=options.smtp_port)
    controller.start()
    server = ThreadingHTTPServer(("127.0.0.1", options.http_port), _handler(inbox))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        controller.stop()


if __name__ == "__main__":
    main()
