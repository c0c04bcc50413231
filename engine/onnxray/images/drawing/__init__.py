"""Arrays as pictures: contact sheets, heat maps, outlines, mosaics."""
