"""The MX: mail from other servers by SMTP (RFC 5321)."""
