"""What a page is drawn in and how it is laid out: its colours, the sizes of its pictures, its lines and pages."""
