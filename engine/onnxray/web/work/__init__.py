"""What the page asks of a model, answered in a process of its own; nothing here knows of browsers."""
