"""What the house stands on: ports, and the adapters that serve them."""
