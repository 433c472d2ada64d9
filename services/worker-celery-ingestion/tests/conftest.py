"""The environment that the settings are read from when the application is imported."""

import os

for name in ("SOURCES", "APIS", "STORAGE_URL"):
    os.environ.pop(name, None)
