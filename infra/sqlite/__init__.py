"""The embedded engine: log, keys, content and dead letters in SQLite files, through apsw."""
