"""Whether the twin gives the judge's numbers."""
