"""One perturbation for all pictures: made, and applied to others."""
