"""What values offer to whoever looks at them: a line, a picture and HTML in notebooks, rows for tables."""
