"""The command line, ``onnxray COMMAND MODEL ...``: one file a command, nothing heavy imported before it is needed."""

import sys

from onnxray.cli.streams import standard_streams

__all__ = ["main"]


def main() -> None:
    """Run the program; Ctrl-C while the commands are still being read is one line and status 130 too."""
    with standard_streams():
        try:
            from onnxray.cli.app import main as run

            run()
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            sys.exit(130)
