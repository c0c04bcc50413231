"""The program ``onnxray``: its streams first, then the commands."""

import sys

from onnxray.cli.terminal.standard_streams import standard_streams


def main() -> None:
    """Run the program; Ctrl-C while the commands are still being read is one line and status 130 too."""
    with standard_streams():
        try:
            from onnxray.cli.app import main as run

            run()
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            sys.exit(130)
