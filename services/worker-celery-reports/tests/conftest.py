"""An address that nobody uses, as the application wants one before it is imported."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
