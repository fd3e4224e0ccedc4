"""LMTP (RFC 2033): mail from a local mail server that stands in front."""
