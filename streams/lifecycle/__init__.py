"""What follows from the events of mailboxes by itself: time runs out, and what is erased goes."""
