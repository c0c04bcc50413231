"""Where the samples of a batch lie in each value, and which values mix them."""
