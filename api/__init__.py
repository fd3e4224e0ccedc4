"""How people and programs read; commands are appended, projections never written."""
