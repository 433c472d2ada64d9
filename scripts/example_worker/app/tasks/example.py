"""The example tasks: a typed payload in, one processor call, a typed result out."""

from app.celery_app import app
from app.config import settings
from app.processors.example_processor import ExampleProcessor, ExampleResult


@app.task(name="app.tasks.example.process")
def process(numbers: list[int]) -> ExampleResult:
    """Add up numbers."""
    return ExampleProcessor(limit=settings.example_limit).process(numbers)
