"""Accounts, domains, aliases and tokens in a relational database."""
