"""What a layer knows of concepts that a user shows it."""
