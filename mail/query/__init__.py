"""What is asked of mail: the query language, its tree, and the words of text and query."""
