"""Sessions in which mail is taken, in SMTP (RFC 5321) or LMTP (RFC 2033): see `dialect`."""
