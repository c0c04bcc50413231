"""Attacks that go down a loss by gradients of the twin."""
