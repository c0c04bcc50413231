"""Maps from what the judge says of perturbed copies."""
