"""Cuts with rules in place of derivatives, run for a sample."""
