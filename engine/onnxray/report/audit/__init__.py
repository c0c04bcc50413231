"""What is written of an audit beside its document."""
