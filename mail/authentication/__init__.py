"""Who sent this mail: SPF, DKIM, ARC, DMARC and Authentication-Results.

One file per standard. Each check is a pure function of the message, the SMTP envelope and a
mapping of DNS answers; a question that the mapping does not hold raises `dns.Missing`. The entry
points are `evaluate.authenticate` (pure) and `resolution.resolve_and_authenticate` (the loop that
asks a resolver and evaluates again).
"""
