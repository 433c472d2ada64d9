"""An address for the database where nothing listens, for tests that need none."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
