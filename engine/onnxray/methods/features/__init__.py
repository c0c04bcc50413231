"""The feature space of a model: what its layers make of many pictures."""
