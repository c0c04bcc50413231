"""Attacks that go by the judge's decision alone, whether a sample has arrived: no scores, no gradient."""
