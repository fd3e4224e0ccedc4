"""Search: the query language, the tokens of text and query, and the index of the words of mail."""
