"""The importer: mail that another store has kept."""
