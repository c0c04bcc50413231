"""Attacks whose smallest perturbation is computed, not searched for."""
