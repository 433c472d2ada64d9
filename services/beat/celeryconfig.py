"""Nothing here: every schedule stands in the `celeryconfig.py` of the worker that runs its task."""
