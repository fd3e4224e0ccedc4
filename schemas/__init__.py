"""The contract: Avro schemas, their Python types, codec, seal and topic table."""
