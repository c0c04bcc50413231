"""Other people's formats and tools; each adapter is one module, imported when asked for."""
