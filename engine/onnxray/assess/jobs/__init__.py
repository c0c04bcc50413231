"""Units of work named by what goes into them: their store, and who does them."""
