"""What several sheets share: layers and targets as they are said, what the model saw, channels with their numbers."""
