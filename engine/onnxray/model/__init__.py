"""The one object: a graph, its judge, its twin and its profile."""
