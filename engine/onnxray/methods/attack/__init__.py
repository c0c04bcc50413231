"""Attacks: perturb images within a budget, or as little as will do, until the judge says something else of them."""
