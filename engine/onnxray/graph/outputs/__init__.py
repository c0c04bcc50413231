"""What each output of a graph is, told from the file alone: classes, boxes, masks, sequences, embeddings, numbers."""
