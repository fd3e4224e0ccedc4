"""People that a mailbox has had mail from or sent mail to, found by how their name begins."""
