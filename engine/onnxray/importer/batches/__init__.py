"""Any number of the file's own batches at once."""
