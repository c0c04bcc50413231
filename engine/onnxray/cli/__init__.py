"""The command line, ``onnxray COMMAND MODEL ...``: one file a command, nothing heavy imported before it is needed."""

from onnxray.cli.program import main

__all__ = ["main"]
