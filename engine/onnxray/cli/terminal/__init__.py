"""How what is said reaches whoever reads it: streams that never fail, names, progress without a terminal."""
