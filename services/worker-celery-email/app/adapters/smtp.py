"""Hands a mail to an SMTP server: to all recipients or to none."""

import asyncio
import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP as ASCII
from email.policy import SMTPUTF8
from pathlib import Path

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from workerkit.errors import PermanentError, TransientError

_ACCEPTED = range(200, 300)
_REFUSED_FOR_GOOD = range(500, 600)  # any other refusal may change by asking again
_CANCELLED_SECONDS = 1.0  # to say goodbye in; a revoked task is given 2 s


class SmtpMailer:
    """One SMTP server; every mail has its own connection.

    Args:
        host: name of the server, as in its certificate.
        port: 587 with STARTTLS, as a rule.
        starttls: encrypt, and refuse to send when the server cannot or is not trusted.
        username: log in with this name; None or empty for a server that asks for none.
        password: goes with `username`, and into no error.
        timeout_seconds: for every step of the conversation.
        ca_file: PEM file with the authorities to trust instead of the system's.
        connections: at a time; a mail waits for one, as servers refuse those who come with hundreds.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        starttls: bool = True,
        username: str | None = None,
        password: str | None = None,
        timeout_seconds: float = 10.0,
        ca_file: Path | None = None,
        connections: int = 10,
    ) -> None:
        self._host, self._port, self._timeout = host, port, timeout_seconds
        self._username, self._password = username, password or ""
        self._tls = ssl.create_default_context(cafile=ca_file) if starttls else None
        self._free = asyncio.Semaphore(connections)
        self._own_name: str | None = None

    async def deliver(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        """Sends the message to all recipients, or to none if the server refuses one of them.

        So a retry reaches nobody twice, except when the connection breaks, or the task's soft time limit is over,
        between the server's acceptance and its answer: the two copies then have the same Message-ID.

        Args:
            message: complete, with its headers; the envelope's sender is the address in From.
            recipients: addresses for the envelope, To and Cc together.

        Raises:
            PermanentError: refused with 5xx, wrong login, no STARTTLS or no trust in the certificate.
            TransientError: refused with 4xx, or the server is away, hangs or breaks off.
        """
        try:
            async with self._free:
                await self._converse(message, recipients)
        except (OSError, SMTPException) as error:
            raise _meaning(error, f"Mail server {self._host}:{self._port}") from error

    async def _converse(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        smtp, patience = await self._client(), self._timeout
        try:
            await smtp.connect()
            if self._username:
                await self._login(smtp, self._username)
            await _hand_over(smtp, message, recipients)
        except asyncio.CancelledError:
            patience = min(patience, _CANCELLED_SECONDS)
            raise
        finally:
            await _leave(smtp, patience)

    async def _client(self) -> SMTP:
        if self._own_name is None:
            # It asks the DNS, and knows what to say instead of a name without a dot, which some servers refuse.
            self._own_name = await asyncio.to_thread(lambda: smtplib.SMTP().local_hostname)
        return SMTP(
            hostname=self._host,
            port=self._port,
            local_hostname=self._own_name,
            timeout=self._timeout,
            start_tls=self._tls is not None,
            tls_context=self._tls,
        )

    async def _login(self, smtp: SMTP, username: str) -> None:
        try:
            await smtp.login(username, self._password)
        except SMTPAuthenticationError as error:
            hint = "check SMTP_USERNAME and SMTP_PASSWORD"
            what = f"Mail server {self._host}:{self._port} refused the login ({error.code}): {hint}"
            raise _refusal(error.code, what) from error


async def _hand_over(smtp: SMTP, message: EmailMessage, recipients: Sequence[str]) -> None:
    sender = message["From"].addresses[0].addr_spec
    international = not "".join([sender, *recipients, message.get("Reply-To", "")]).isascii()
    if international:
        await _require_smtputf8(smtp, recipients)
    encoding = "utf-8" if international else "ascii"
    await smtp.mail(sender, options=["SMTPUTF8"] if international else [], encoding=encoding)
    await _name_recipients(smtp, recipients, encoding)
    policy = SMTPUTF8 if international else ASCII
    await _send_content(smtp, await asyncio.to_thread(message.as_bytes, policy=policy))


async def _require_smtputf8(smtp: SMTP, recipients: Sequence[str]) -> None:
    if smtp.is_ehlo_or_helo_needed:
        await smtp.ehlo()
    if not smtp.supports_extension("smtputf8"):
        raise PermanentError(f"The mail server takes ASCII addresses only (no SMTPUTF8): {list(recipients)}")


async def _name_recipients(smtp: SMTP, recipients: Sequence[str], encoding: str) -> None:
    """Names all recipients before any content: a conversation that ends before DATA sends nothing."""
    refused: dict[str, int] = {}
    for address in recipients:
        try:
            await smtp.rcpt(address, encoding=encoding)
        except SMTPRecipientRefused as error:
            if error.code not in _ACCEPTED:
                refused[address] = error.code
    if refused:
        listing = ", ".join(f"{address} ({code})" for address, code in refused.items())
        raise _refusal(max(refused.values()), f"Sent to nobody, because of refused recipients: {listing}")


async def _send_content(smtp: SMTP, content: bytes) -> None:
    transport = smtp.transport
    try:
        await smtp.data(content)
    except SMTPResponseException:
        raise
    except BaseException:
        # What is still in its buffer would be sent all the same, and taken, when the mail is about to be sent again.
        _abort(transport)
        raise


async def _leave(smtp: SMTP, seconds: float) -> None:
    """Says QUIT, and lets it fail: a mail answered with 250 is sent, and an earlier error says more."""
    transport = smtp.transport
    try:
        await smtp.quit(timeout=seconds)
    except (OSError, SMTPException, asyncio.CancelledError):  # cancelled here, all is done that was to be done
        _abort(transport)
    finally:
        smtp.close()


def _abort(transport: asyncio.BaseTransport | None) -> None:
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()


def _refusal(code: int, what: str) -> PermanentError | TransientError:
    return PermanentError(what) if code in _REFUSED_FOR_GOOD else TransientError(what)


def _meaning(error: Exception, server: str) -> PermanentError | TransientError:
    """Sorts what aiosmtplib and the socket raise into the two kinds of failure."""
    match error:
        case ssl.SSLCertVerificationError():
            hint = "correct SMTP_HOST, or name the authority that signed it in SMTP_CA_FILE"
            return PermanentError(f"{server} is not trusted ({error.verify_message}): {hint}")
        case SMTPResponseException(code=code):
            reply = error.message.encode(errors="replace").decode()  # it may hold bytes that are no text
            return _refusal(code, f"{server} refused ({type(error).__name__}): {code} {reply[:200]}")
        case SMTPServerDisconnected() | SMTPConnectError() | SMTPTimeoutError():
            return TransientError(f"{server} is away: {type(error.__cause__ or error).__name__}: {error}")
        case SMTPException():
            hint = "correct SMTP_HOST and SMTP_PORT, or switch off SMTP_STARTTLS or SMTP_USERNAME"
            return PermanentError(f"{server} lacks what is required of it ({error}): {hint}")
        case _:
            return TransientError(f"{server} is away: {type(error).__name__}: {error}")
