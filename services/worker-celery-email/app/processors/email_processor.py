"""Builds a mail and has it delivered, with a Message-ID that stays the same when a task runs again."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import localtime
from functools import partial
from typing import Protocol

from app.messages import Attachment, EmailReceipt, OutgoingEmail
from workerkit.errors import PermanentError
from workerkit.storage import StoredFile

# Not every server takes 8-bit text, and the mailer does not ask; quoted-printable and base64 pass everywhere.
_POLICY = SMTP.clone(cte_type="7bit")
_SAFE_KEY = re.compile(r"[A-Za-z0-9-]{1,64}")
_LARGE_BYTES = 500_000


class Mailer(Protocol):
    """Delivers a mail to all recipients or to none."""

    async def deliver(self, message: EmailMessage, recipients: Sequence[str]) -> None:
        """Raises PermanentError or TransientError when nobody got the mail."""


class Attachments(Protocol):
    """Fetches files to attach."""

    async def fetch(self, file: StoredFile) -> Attachment:
        """Raises PermanentError or TransientError when the file cannot be had."""


class EmailProcessor:
    """Sends mails from one sender.

    Args:
        mailer: delivers them.
        sender: the From header, such as "Acme <hello@acme.example>".
        message_id_domain: the right half of every Message-ID.
        attachments: fetches what is to be attached; None for mails without.
        max_attachment_bytes: of all attachments of a mail together.
    """

    def __init__(
        self,
        mailer: Mailer,
        *,
        sender: str,
        message_id_domain: str,
        attachments: Attachments | None = None,
        max_attachment_bytes: int = 10_000_000,
    ) -> None:
        self._mailer, self._sender, self._domain = mailer, sender, message_id_domain
        self._attachments, self._max_attachment_bytes = attachments, max_attachment_bytes
        self._large = asyncio.Lock()  # in memory such a mail is there several times: read, encoded, on its way

    async def send(self, email: OutgoingEmail, key: str) -> EmailReceipt:
        """Sends one mail.

        Args:
            email: what to send to whom.
            key: names this mail once and for all (the task's id, or the caller's idempotency key); the Message-ID
                depends on nothing else, so mail programs show the two copies of a mail that was sent again as one.

        Raises:
            PermanentError: the mailer says that trying again is of no use, or an attachment is missing or too large.
            TransientError: the mailer says that it may work later, or the storage of the attachments is away.
        """
        message_id = f"<{_safe(key)}@{self._domain}>"
        recipients = list(dict.fromkeys([email.to, *email.cc]))
        async with self._room(email.attachments):
            await self._mailer.deliver(await self._composed(email, message_id), recipients)
        return EmailReceipt(message_id=message_id, recipients=recipients)

    async def _composed(self, email: OutgoingEmail, message_id: str) -> EmailMessage:
        attachments = await self._fetched(email.attachments)
        compose = partial(self._message, email, message_id, attachments)
        return await asyncio.to_thread(compose) if attachments else compose()

    def _room(self, files: Sequence[StoredFile]) -> AbstractAsyncContextManager[None]:
        return self._large if _size(files) > _LARGE_BYTES else nullcontext()

    async def _fetched(self, files: Sequence[StoredFile]) -> list[Attachment]:
        size = _size(files)
        if size > self._max_attachment_bytes:
            raise PermanentError(
                f"the attachments have {size:,} bytes and a mail takes {self._max_attachment_bytes:,}: send links to "
                "them, or raise MAIL_MAX_ATTACHMENT_BYTES if the mail server takes more"
            )
        if files and self._attachments is None:
            raise PermanentError("this processor was made without a storage to fetch attachments from")
        return [await self._attachments.fetch(file) for file in files] if self._attachments else []

    def _message(self, email: OutgoingEmail, message_id: str, attachments: Sequence[Attachment]) -> EmailMessage:
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
        for attachment in attachments:
            kind, _, subtype = attachment.content_type.partition("/")
            message.add_attachment(attachment.content, maintype=kind, subtype=subtype, filename=attachment.filename)
        return message


def _size(files: Sequence[StoredFile]) -> int:
    return sum(file.size for file in files)


def _safe(key: str) -> str:
    """A caller may choose any text as a task's id; what does not fit a header goes in as its hash."""
    return key if _SAFE_KEY.fullmatch(key) else hashlib.sha256(key.encode()).hexdigest()
