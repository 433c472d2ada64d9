"""This template's worker with coroutines alone, as the pool for coroutines wants it."""

from compare.systems.bodies import COROUTINES, VARIANT
from compare.systems.template import new_app

if VARIANT == "database":
    from compare.systems.template_database import visit_async

    COROUTINES["visit"] = visit_async
app = new_app(COROUTINES)
