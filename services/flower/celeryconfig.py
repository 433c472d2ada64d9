"""What is Flower's own; it reads what the workers send."""

# The transport that the broker's URL names: Flower takes no task from a queue, and its page about the broker knows
# Celery's own transports only. Keys of its own: kombu would look after messages that other programs have lost.
broker_transport = None
broker_transport_options = {f"{name}_key": f"flower:{name}" for name in ("unacked", "unacked_index", "unacked_mutex")}
