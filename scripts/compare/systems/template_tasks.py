"""This template's worker with ordinary tasks."""

from compare.systems.bodies import PLAIN, VARIANT
from compare.systems.template import new_app

if VARIANT == "database":
    from compare.systems.template_database import visit

    PLAIN["visit"] = visit
app = new_app(PLAIN)
