"""Builds a mail and has it delivered, with a Message-ID that stays the same when a task runs again."""

import hashlib
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from typing import Protocol

from app.messages import EmailReceipt, OutgoingEmail

# Not every server takes 8-bit text, and smtplib does not ask; quoted-printable and base64 pass everywhere.
_POLICY = SMTP.clone(cte_type="7bit")
_SAFE_KEY = re.compile(r"[A-Za-z0-9-]{1,64}")


class Mailer(Protocol):
    """Delivers a mail to all recipients or to none."""

    def deliver(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        """Raises PermanentError or TransientError when nobody got the mail."""


class EmailProcessor:
    """Sends mails from one sender.

    Args:
        mailer: delivers them.
        sender: the From header, such as "Acme <hello@acme.example>".
        message_id_domain: the right half of every Message-ID.
    """

    def __init__(self, mailer: Mailer, *, sender: str, message_id_domain: str) -> None:
        self._mailer, self._sender, self._domain = mailer, sender, message_id_domain

    def send(self, email: OutgoingEmail, key: str) -> EmailReceipt:
        """Sends one mail.

        Args:
            email: what to send to whom.
            key: names this mail once and for all (the task's id); the Message-ID depends on nothing else,
                so mail programs show the two copies of a mail that was sent again as one.

        Raises:
            PermanentError: the mailer says that trying again is of no use.
            TransientError: the mailer says that it may work later.
        """
        message_id = f"<{_safe(key)}@{self._domain}>"
        recipients = list(dict.fromkeys([email.to, *email.cc]))
        self._mailer.deliver(self._message(email, message_id), recipients)
        return EmailReceipt(message_id=message_id, recipients=recipients)

    def _message(self, email: OutgoingEmail, message_id: str) -> EmailMessage:
        message = EmailMessage(policy=_POLICY)
        message["Message-ID"], message["Date"] = message_id, localtime()
        message["From"], message["To"], message["Subject"] = self._sender, email.to, email.subject
        if email.cc:
            message["Cc"] = email.cc
        if email.reply_to:
            message["Reply-To"] = email.reply_to
        message.set_content(email.body)
        if email.html is not None:
            message.add_alternative(email.html, subtype="html")
        return message


def _safe(key: str) -> str:
    """A caller may choose any text as a task's id; what does not fit a header goes in as its hash."""
    return key if _SAFE_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
