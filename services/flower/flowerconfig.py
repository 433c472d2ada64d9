"""Flower's own settings: behind a password, read-only, with a state that outlives a restart."""

from flower.views.monitor import Metrics
from tornado.web import authenticated

from app.config import settings

Metrics.get = authenticated(Metrics.get)  # Flower's one page with names of workers and tasks that asks for no password

address = settings.flower_address
port = settings.flower_port
basic_auth = [f"{settings.flower_user}:{settings.flower_password.get_secret_value()}"]
read_only = True  # looking is safe; acting on tasks belongs behind finer rights than one password
persistent = True
db = str(settings.flower_db)
state_save_interval = 10_000  # milliseconds, so that a kill loses little
max_tasks = 10_000  # in memory
purge_offline_workers = 300  # seconds after which a worker that is gone leaves the list
