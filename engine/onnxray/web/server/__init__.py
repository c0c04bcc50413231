"""What speaks with the browser; nothing here knows of models."""
