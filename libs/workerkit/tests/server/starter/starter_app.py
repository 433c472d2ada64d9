"""A worker for the start-up checks; the environment says what is wrong with it."""

import os

import celeryconfig
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

if "STARTER_DATABASE" in os.environ:
    from workerkit import database

    database.configure(os.environ["STARTER_DATABASE"], application_name="starter")
app = create_app("starter", WorkerSettings(), celeryconfig, tasks_package="starter_tasks")
