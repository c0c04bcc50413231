"""What the outputs are to a classifier: how they close, what scores they hold, which class wins."""
