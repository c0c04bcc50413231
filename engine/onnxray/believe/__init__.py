"""Can a map be believed: insertion and deletion, weight randomisation, noise; on any method's maps."""
