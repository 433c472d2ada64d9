"""A real browser without a window, for tests of pages: Debian's Chromium, steered by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip


class NoBrowser(RuntimeError):
    """There is no Chromium on this machine."""


def chromium() -> str:
    """Where Chromium is.

    Raises:
        NoBrowser: nowhere; says how to get it.
    """
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowser(f"None of {', '.join(NAMES)} is installed; `scripts/install-browser` installs it on Debian.")
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium, with a profile of its own, and end it.

    Raises:
        NoBrowser: there is none on this machine.
    """
    program = chromium()
    with sync_playwright() as playwright:
        # Its sandbox does not work for root, and not in most containers; the pages here are the repository's own.
        started = playwright.chromium.launch(
            executable_path=program, args=list(_FLAGS), chromium_sandbox=False, timeout=120_000, env={**os.environ}
        )
        try:
            yield started
        finally:
            started.close()


class Complaints:
    """What a page says on its console beyond information, and its errors; breaches of its policy are among them.

    Args:
        page: the page, before it is opened.
    """

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._take)
        page.on("pageerror", self._fail)

    def _take(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning", "assert"}:
            self.found.append(f"{message.type}: {message.text}")

    def _fail(self, error: Error) -> None:
        self.found.append(f"exception: {error.message}")
