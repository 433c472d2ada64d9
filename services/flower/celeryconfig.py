"""Nothing of its own: Flower reads what the workers send."""
