"""Welcomes a new user, given by address or by id."""

from typing import Protocol

from app.messages import EmailReceipt, OutgoingEmail
from app.processors.email_processor import EmailProcessor
from app.processors.templates import render
from workerkit.errors import PermanentError


class UserDirectory(Protocol):
    """Knows users' mail addresses."""

    async def address_of(self, user_id: int) -> str:
        """Raises PermanentError for an unknown user, TransientError while it cannot tell."""


class WelcomeProcessor:
    """Sends the welcome mail.

    Args:
        emails: sends it.
        product: what the user is welcome to.
        directory: turns a user's id into an address; None if there is none to ask.
    """

    def __init__(self, emails: EmailProcessor, *, product: str, directory: UserDirectory | None = None) -> None:
        self._emails, self._product, self._directory = emails, product, directory

    async def send(self, user: str | int, name: str, key: str) -> EmailReceipt:
        """Sends the welcome mail to one user.

        Args:
            user: mail address, or the id to look up.
            name: how to address the user.
            key: as in `EmailProcessor.send`.

        Raises:
            PermanentError: the user is unknown, there is no directory, or the mail was refused.
            TransientError: the directory or the mail server is away.
        """
        subject, text, html = render("welcome", name=name, product=self._product)
        mail = OutgoingEmail(to=await self._address_of(user), subject=subject, body=text, html=html)
        return await self._emails.send(mail, key)

    async def _address_of(self, user: str | int) -> str:
        if isinstance(user, str):
            return user
        if self._directory is None:
            raise PermanentError(
                f"No directory to look up user {user} in: pass the mail address or set USER_DIRECTORY_URL"
            )
        return await self._directory.address_of(user)
