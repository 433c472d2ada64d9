"""What the processors are given: sessions on the database, and whom to tell how far they are."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncSession

Sessions = Callable[[], AbstractAsyncContextManager[AsyncSession]]  # each commits at its end, or rolls back
Report = Callable[[int, int, str], None]  # months done, months in all, the month that was done
