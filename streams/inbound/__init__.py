"""The inbound stage: store, authenticate, score, route; one read of the content."""
