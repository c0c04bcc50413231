"""The smallest perturbation of a norm, by gradients."""
