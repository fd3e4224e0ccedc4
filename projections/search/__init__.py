"""Search: the index of the words of mail, and the answers that it gives to queries."""
