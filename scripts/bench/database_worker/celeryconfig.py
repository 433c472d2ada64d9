"""Each pattern has a worker and a queue of its own."""

import os

task_routes = {"app.tasks.bench.*": os.environ["BENCH_PATTERN"]}
