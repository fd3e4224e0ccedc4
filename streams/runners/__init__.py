"""Runners execute the topology: on the embedded log, on a Kafka consumer loop, on Faust."""
