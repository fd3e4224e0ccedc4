"""Schema registries: which number a schema has, which schema a number means."""
