"""How small a change flips a model: attacks on labelled images, the curve that comes of them, what it is worth."""
