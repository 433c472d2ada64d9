"""What is the template's chaos worker's own: two queues and, if asked for, a schedule."""

import os

task_routes = {"app.tasks.chaos.*": os.environ.get("CHAOS_QUEUE", "chaos"), "app.tasks.urgent.*": "urgent"}
beat_schedule = {"tick": {"task": "app.tasks.chaos.tick", "schedule": 1.0}} if os.environ.get("CHAOS_TICKS") else {}
