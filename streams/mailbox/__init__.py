"""The mailbox stage: thread, label, deliver, and every later change; a mailbox's one writer."""
