"""What each graph input takes, told from the file alone."""
