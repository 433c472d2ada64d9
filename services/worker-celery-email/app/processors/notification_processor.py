"""Notifies everybody who listens to a channel."""

from app.messages import Channels, EmailReceipt, OutgoingEmail
from app.processors.email_processor import EmailProcessor
from app.processors.templates import render
from workerkit.errors import PermanentError


class NotificationProcessor:
    """Sends one mail to all addresses of a channel.

    Args:
        emails: sends it.
        product: who notifies.
        channels: the addresses of every channel, 1 to 51 each.
    """

    def __init__(self, emails: EmailProcessor, *, product: str, channels: Channels) -> None:
        self._emails, self._product, self._channels = emails, product, channels

    async def send(self, channel: str, subject: str, message: str, key: str) -> EmailReceipt:
        """Notifies a channel; its first address is To, the others are Cc.

        Args:
            channel: its name.
            subject: one line.
            message: plain text; line breaks are kept.
            key: as in `EmailProcessor.send`.

        Raises:
            PermanentError: the channel is unknown, or the mail was refused.
            TransientError: the mail server is away.
        """
        to, *cc = self._addresses_of(channel)
        rendered = render("notification", subject=subject, message=message, channel=channel, product=self._product)
        mail = OutgoingEmail(to=to, cc=cc, subject=rendered.subject, body=rendered.text, html=rendered.html)
        return await self._emails.send(mail, key)

    def _addresses_of(self, channel: str) -> list[str]:
        if channel not in self._channels:
            known = ", ".join(sorted(self._channels)) or "none"
            raise PermanentError(f"No channel {channel!r} (known: {known}): add it to NOTIFICATION_CHANNELS")
        return self._channels[channel]
