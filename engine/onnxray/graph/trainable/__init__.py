"""Which constants of a file can be trained, and why the others are left as they are: told from the file alone."""
