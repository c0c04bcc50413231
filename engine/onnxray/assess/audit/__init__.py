"""The audit: models and pictures in, a verdict by a policy out."""
