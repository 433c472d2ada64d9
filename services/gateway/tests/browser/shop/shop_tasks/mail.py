"""Mails that a server refuses, as long as nobody has opened it."""

import os
from pathlib import Path

from shop_app import app

from workerkit.errors import PermanentError


@app.task(name="app.tasks.mail.send_receipt")
def send_receipt(to: str, order: int) -> str:
    """Mail a receipt."""
    if not (Path(os.environ["TRACES"]) / "open").exists():
        raise PermanentError(f"550 5.7.1 {to}: this server takes no mail")
    return f"receipt of order {order} sent"
