"""Folds of events into what is read; each can be thrown away and rebuilt."""
