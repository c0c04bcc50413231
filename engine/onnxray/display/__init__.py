"""How values show themselves in notebooks, and run folders opened as what they are."""
