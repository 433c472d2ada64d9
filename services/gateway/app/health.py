"""The gateway's health: it answers, and so does Redis. `python -m app.health` exits 0 or 1."""

import json
import os
import sys
import urllib.request

if __name__ == "__main__":
    url = f"http://127.0.0.1:{os.environ.get('GATEWAY_PORT') or 8080}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            healthy = json.load(answer)["redis"]
    except OSError as error:
        raise SystemExit(f"{url}: {error}") from None
    sys.exit(0 if healthy else f"{url}: Redis does not answer")
