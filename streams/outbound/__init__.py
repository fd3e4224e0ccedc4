"""The outbound stage: a queue that is a fold, and attempts that are facts."""
