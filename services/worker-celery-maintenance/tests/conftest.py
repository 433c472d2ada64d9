"""An address for the settings; nothing answers there, and tests on a real database configure another."""

import os

os.environ.setdefault("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/unused")
