"""A run done again from what its result says: found inputs, the command read anew, what differs."""
