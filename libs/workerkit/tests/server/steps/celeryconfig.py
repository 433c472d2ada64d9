"""Nothing of their own: the routes follow from the names."""
