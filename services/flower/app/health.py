"""Flower's health: its page answers. `python -m app.health` exits 0 or 1."""

import os
import urllib.error
import urllib.request

if __name__ == "__main__":
    url = f"http://127.0.0.1:{os.environ.get('FLOWER_PORT') or 5555}/healthcheck"
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError as error:
        raise SystemExit(f"{url}: {error}") from None
