"""The page of a run: ``index.html``, in one file, beside what the run wrote."""
