"""The application of the template's subjects, as any of the services makes it."""

import os

from chaos.worker import template_settings
from workerkit.app import create_app
from workerkit.database import configure
from workerkit.settings import WorkerSettings

app = create_app(os.environ.get("CHAOS_SERVICE", "chaos"), WorkerSettings(), template_settings, tasks_package="")
if "DATABASE_URL" in os.environ:
    configure(os.environ["DATABASE_URL"], application_name="chaos")
INSERT = "INSERT INTO effect (task_id) VALUES (:id)"
