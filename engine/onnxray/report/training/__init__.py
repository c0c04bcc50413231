"""The pictures of what was trained: accuracies by epoch, before and after, and what generators show."""
