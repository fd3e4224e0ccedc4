"""Steps are pure functions from events to events; the topology is one page; runners execute it."""
