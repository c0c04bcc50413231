"""What a user gives for a graph's inputs, read into the arrays that the file takes: one file a kind."""
