"""The email tasks: a typed payload in, one processor call, a receipt out."""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import httpx
from pydantic import Field

from app.adapters.attachments import StorageAttachments
from app.adapters.smtp import SmtpMailer
from app.adapters.users import HttpUserDirectory
from app.celery_app import app
from app.config import settings
from app.messages import MAX_ATTACHMENTS, Address, Body, EmailReceipt, Name, Notice, OutgoingEmail, Subject
from app.processors.email_processor import EmailProcessor
from app.processors.notification_processor import NotificationProcessor
from app.processors.welcome_processor import WelcomeProcessor
from workerkit.event_loop import at_loop_end
from workerkit.idempotency import call_key
from workerkit.storage import StoredFile


# A mail cannot be taken back, so these are idempotent: once handed to the server, a call never sends it again.
@app.task(bind=True, name="app.tasks.email.send_email", idempotent=True)
async def send_email(
    self: Any,
    to: Address,
    subject: Subject,
    body: Body,
    html: Body | None = None,
    cc: Annotated[Sequence[Address], Field(max_length=50)] = (),
    reply_to: Address | None = None,
    attachments: Annotated[Sequence[StoredFile], Field(max_length=MAX_ATTACHMENTS)] = (),
) -> EmailReceipt:
    """Send one mail to one recipient and its copies: to all of them, or to none."""
    email = OutgoingEmail(
        to=to, subject=subject, body=body, html=html, cc=list(cc), reply_to=reply_to, attachments=list(attachments)
    )
    return await email_processor().send(email, key=call_key(self))


@app.task(bind=True, name="app.tasks.email.send_welcome_email", idempotent=True)
async def send_welcome_email(self: Any, user: int | Address, name: Name) -> EmailReceipt:
    """Welcome a new user, named by mail address or by the id to look up."""
    processor = WelcomeProcessor(email_processor(), product=settings.product_name, directory=user_directory())
    return await processor.send(user, name, key=call_key(self))


@app.task(bind=True, name="app.tasks.email.send_notification", idempotent=True)
async def send_notification(
    self: Any, channel: str, message: Notice, subject: Subject = "Notification"
) -> EmailReceipt:
    """Notify everybody who listens to a channel, such as "ops"."""
    channels = settings.notification_channels
    processor = NotificationProcessor(email_processor(), product=settings.product_name, channels=channels)
    return await processor.send(channel, subject, message, key=call_key(self))


@cache
def email_processor() -> EmailProcessor:
    """The processor of this process, on the configured mail server."""
    mailer = SmtpMailer(
        settings.smtp_host,
        settings.smtp_port,
        starttls=settings.smtp_starttls,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        timeout_seconds=settings.smtp_timeout_seconds,
        ca_file=settings.smtp_ca_file,
        connections=settings.smtp_connections,
    )
    return EmailProcessor(
        mailer,
        sender=settings.mail_sender,
        message_id_domain=settings.message_id_domain,
        attachments=StorageAttachments(settings.storage_url),
        max_attachment_bytes=settings.mail_max_attachment_bytes,
    )


@cache
def user_directory() -> HttpUserDirectory | None:
    """The directory of this process, on the configured service; None if there is none to ask."""
    if not settings.user_directory_url:
        return None
    client = httpx.AsyncClient()
    at_loop_end(client.aclose)
    return HttpUserDirectory(settings.user_directory_url, client)
