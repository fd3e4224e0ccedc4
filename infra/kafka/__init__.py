"""The event log on Kafka, through confluent-kafka."""
