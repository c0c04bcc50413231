"""Attacks that hold up when a picture is photographed: expectation over transformations, and patches."""
