"""Pictures in and out: pixels, files, 8 bits, distances."""
