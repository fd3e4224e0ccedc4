"""Sending mail to other hosts by SMTP."""
