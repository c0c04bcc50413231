"""The pictures of what layers make of many pictures: a file a command."""
