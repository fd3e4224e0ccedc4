"""Conversations: which there are, newest first, and what is in one.

They are read from the rows of the mailbox projection, in one snapshot with it: the same head, the
same past, and nothing of its own that an erasure would have to take back.
"""
