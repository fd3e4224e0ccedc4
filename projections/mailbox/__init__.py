"""The mailbox as it is read: messages, labels, counters, the feed, and the mailbox as it was."""
