"""How pixels become the model's input, and where that is said."""
