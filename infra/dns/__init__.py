"""DNS: the resolver that answers what authentication asks."""
