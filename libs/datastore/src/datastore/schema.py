"""All tables at once: what imports this knows every model."""

from datastore import effects, filters, flights, jobs, logs, statistics, users
from datastore.base import Base

__all__ = ["effects", "filters", "flights", "jobs", "logs", "metadata", "statistics", "users"]

metadata = Base.metadata
