"""The farm worker's own settings."""

task_routes = {"app.tasks.farm.*": "farm", "app.tasks.barn.*": "barn"}
beat_schedule = {"tick": {"task": "app.tasks.barn.tick", "schedule": 1.0}}
