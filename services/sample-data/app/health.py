"""The service's health: /healthz answers. `python -m app.health` exits 0 or 1."""

import urllib.request

from app.config import Settings

if __name__ == "__main__":
    settings = Settings.from_environment()
    host = "127.0.0.1" if settings.address == "0.0.0.0" else settings.address  # noqa: S104  - nothing listens here
    url = f"http://{host}:{settings.port}/healthz"
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError as error:
        raise SystemExit(f"{url}: {error}") from None
