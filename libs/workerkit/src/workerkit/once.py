"""Lets an effect in the database happen once for each key; needs `workerkit[database]` and the table `effects`."""

from sqlalchemy import column, table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

# By name only: all tables, and their migrations, are the library datastore's, which needs nothing of workerkit, as
# workerkit needs nothing of it. A service with a database of its own makes the same table there.
_EFFECTS = table("effects", column("key"))
MAX_KEY_LENGTH = 500  # characters; a key in an index of PostgreSQL has room for 2,700 bytes


def once(session: Session, key: str) -> bool:
    """Say whether an effect may happen: True the first time, False ever after.

        with get_sync_db() as session:
            if once(session, f"invoice:{number}"):
                session.add(Booking(...))

    The key is committed together with what the session does, or rolled back with it. While another transaction that has
    asked for the same key is not over, this waits for it: False if it commits, True if it rolls back. In a coroutine:
    `await session.run_sync(once, key)`.

    Args:
        session: of PostgreSQL, at its usual isolation level READ COMMITTED.
        key: names the effect among those of all services, 1 to 500 characters.

    Raises:
        ValueError: the key is empty or too long.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH:
        raise ValueError(f"the key of an effect has 1 to {MAX_KEY_LENGTH} characters, not {len(key)}")
    first = insert(_EFFECTS).values(key=key).on_conflict_do_nothing().returning(_EFFECTS.c.key)
    return session.scalar(first) is not None
