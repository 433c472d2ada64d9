"""Reads a mail catcher's mails over HTTP: the embedded one's, or MailDev's of docker-compose.yml."""

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mailbox:
    """The mails of one catcher.

    Args:
        url: where its page is, such as "http://127.0.0.1:1080".
    """

    url: str

    def mails(self, to: str | None = None) -> list[dict[str, Any]]:
        """All mails, or those to one address, oldest first, in MailDev's form."""
        with urllib.request.urlopen(f"{self.url}/email", timeout=5) as answer:  # noqa: S310 - our own http address
            mails: list[dict[str, Any]] = json.load(answer)
        return [m for m in mails if to is None or to in [a["address"] for a in m["to"]]]

    def wait(self, to: str, count: int = 1, timeout: float = 20.0) -> list[dict[str, Any]]:
        """Wait until at least `count` mails to an address are there.

        Raises:
            TimeoutError: with what is there.
        """
        deadline = time.monotonic() + timeout
        while len(found := self.mails(to)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} mails to {to} after {timeout:.0f} s")
            time.sleep(0.1)
        return found
