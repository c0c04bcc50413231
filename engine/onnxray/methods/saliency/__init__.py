"""Maps of what a prediction goes by."""
