"""Runners: what hosts the stages of the topology."""
