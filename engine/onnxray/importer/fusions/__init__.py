"""Nodes that a cut computes together where nobody asks for what lies between them; each file is one pattern."""
