"""Plain Celery's subject: stock settings, and what a scenario says to be set."""

import json
import os
from typing import Any

from celery import Celery

from chaos.worker.bodies import COMMON, ONCE, insert_plainly, mail, name_of

app: "Celery[Any]" = Celery("plain", broker=os.environ["TASK_BROKER_URL"])
app.conf.update(json.loads(os.environ.get("CHAOS_PLAIN_SETTINGS", "{}")))

for _name, _body in COMMON.items():
    app.task(name=name_of(_name))(_body)
for _name in ONCE:
    app.task(name=name_of(f"{_name}_once"))(COMMON[_name])
app.task(name=name_of("insert"))(insert_plainly)
app.task(name=name_of("mail"))(mail)
