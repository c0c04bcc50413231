"""Pictures of no thing that a model is sure of: by gradients, and by evolution."""
