"""What questions about many pictures are put together from: the walk over them, neighbours, units, changes."""
