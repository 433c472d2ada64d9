"""The demo worker's own settings."""

import json
import os

task_routes = {"app.tasks.demo.*": "demo"}
beat_schedule = {
    name: {"task": "app.tasks.demo.mark", "schedule": seconds, "kwargs": {"name": name}}
    for name, seconds in json.loads(os.environ.get("DEMO_SCHEDULE", "{}")).items()
}
