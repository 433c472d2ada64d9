"""All tables at once: what imports this knows every model."""

from datastore import filters, flights, jobs, statistics
from datastore.base import Base

__all__ = ["filters", "flights", "jobs", "metadata", "statistics"]

metadata = Base.metadata
