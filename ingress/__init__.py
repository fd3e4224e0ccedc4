"""Doors through which facts come in: MX, importer."""
