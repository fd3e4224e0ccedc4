"""What of aiokafka this project uses."""

class AIOKafkaConsumer:
    _isolation_level: str
