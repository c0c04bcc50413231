"""How a command is used: its options as they are stated and read, its help, and what is said of wrong usage."""
