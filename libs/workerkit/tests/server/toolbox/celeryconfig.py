"""The toolbox worker's own settings."""

task_routes = {"app.tasks.toolbox.*": "toolbox"}
