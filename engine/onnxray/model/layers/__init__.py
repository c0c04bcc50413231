"""Where values keep the rows and columns of a picture, and which layers to look at."""
