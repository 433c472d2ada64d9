"""Hands a mail to an SMTP server: to all recipients or to none."""

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

from workerkit.errors import PermanentError, TransientError

_ACCEPTED = range(200, 300)
_REFUSED_FOR_GOOD = range(500, 600)  # any other refusal may change by asking again


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
    ) -> None:
        self._host, self._port, self._timeout = host, port, timeout_seconds
        self._username, self._password = username, password or ""
        self._tls = ssl.create_default_context(cafile=ca_file) if starttls else None

    def deliver(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        """Sends the message to all recipients, or to none if the server refuses one of them.

        So a retry reaches nobody twice, except when the connection breaks between the server's acceptance
        and its answer: the two copies then have the same Message-ID.

        Args:
            message: complete, with its headers; the envelope's sender is the address in From.
            recipients: addresses for the envelope, To and Cc together.

        Raises:
            PermanentError: refused with 5xx, wrong login, no STARTTLS or no trust in the certificate.
            TransientError: refused with 4xx, or the server is away, hangs or breaks off.
        """
        try:
            self._converse(message, recipients)
        except OSError as error:  # smtplib's errors are OSErrors too
            raise _meaning(error, f"Mail server {self._host}:{self._port}") from error

    def _converse(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        smtp = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._tls:
                smtp.starttls(context=self._tls)
            if self._username:
                self._login(smtp, self._username)
            smtp.ehlo_or_helo_if_needed()
            _hand_over(smtp, message, recipients)
        finally:
            _leave(smtp)

    def _login(self, smtp: smtplib.SMTP, username: str) -> None:
        hint = "check SMTP_USERNAME and SMTP_PASSWORD"
        try:
            smtp.login(username, self._password)
        except smtplib.SMTPAuthenticationError as error:
            what = f"Mail server {self._host}:{self._port} refused the login ({error.smtp_code}): {hint}"
            raise _refusal(error.smtp_code, what) from error
        except UnicodeError:  # its args hold the password: it must not travel on as the cause
            raise PermanentError(f"SMTP logins are sent as ASCII: {hint} for other letters") from None


def _hand_over(smtp: smtplib.SMTP, message: EmailMessage, recipients: Sequence[str]) -> None:
    sender = message["From"].addresses[0].addr_spec
    international = not "".join([sender, *recipients, message.get("Reply-To", "")]).isascii()
    if international and not smtp.has_extn("smtputf8"):
        raise PermanentError(f"The mail server takes ASCII addresses only (no SMTPUTF8): {list(recipients)}")
    _check(smtp.mail(sender, ["SMTPUTF8"] if international else []), f"Sender {sender} was refused")
    _name_recipients(smtp, recipients)
    content = message.as_bytes(policy=SMTPUTF8 if international else SMTP)
    _check(smtp.data(content), "The mail server refused the mail's content")


def _name_recipients(smtp: smtplib.SMTP, recipients: Sequence[str]) -> None:
    """Names all recipients before any content: a conversation that ends before DATA sends nothing."""
    codes = {address: smtp.rcpt(address)[0] for address in recipients}
    refused = {address: code for address, code in codes.items() if code not in _ACCEPTED}
    if refused:
        listing = ", ".join(f"{address} ({code})" for address, code in refused.items())
        raise _refusal(max(refused.values()), f"Sent to nobody, because of refused recipients: {listing}")


def _leave(smtp: smtplib.SMTP) -> None:
    """Says QUIT, and lets it fail: a mail answered with 250 is sent, and an earlier error says more."""
    with suppress(OSError):
        smtp.quit()
    smtp.close()


def _check(answer: tuple[int, bytes], what: str) -> None:
    code, reply = answer
    if code not in _ACCEPTED:
        raise _refusal(code, f"{what}: {code} {reply.decode(errors='replace')[:200]}")


def _refusal(code: int, what: str) -> PermanentError | TransientError:
    return PermanentError(what) if code in _REFUSED_FOR_GOOD else TransientError(what)


def _meaning(error: OSError, server: str) -> PermanentError | TransientError:
    """Sorts what smtplib and the socket raise into the two kinds of failure."""
    match error:
        case ssl.SSLCertVerificationError():
            hint = "correct SMTP_HOST, or name the authority that signed it in SMTP_CA_FILE"
            return PermanentError(f"{server} is not trusted ({error.verify_message}): {hint}")
        case smtplib.SMTPResponseException(smtp_code=code):
            return _refusal(code, f"{server} refused the conversation: {error}")
        case smtplib.SMTPException() if not isinstance(error, smtplib.SMTPServerDisconnected):
            hint = "correct SMTP_HOST and SMTP_PORT, or switch off SMTP_STARTTLS or SMTP_USERNAME"
            return PermanentError(f"{server} lacks what is required of it ({error}): {hint}")
        case _:
            return TransientError(f"{server} is away: {type(error).__name__}: {error}")
