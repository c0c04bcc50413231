"""What is asked of a model: targets, objectives, goals, and their gradients."""
