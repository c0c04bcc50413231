"""The program ``onnxray``: its streams and how threads wait first, then the commands."""

import os
import sys

from onnxray.cli.terminal.standard_streams import standard_streams


def main() -> None:
    """Run the program; Ctrl-C while the commands are still being read is one line and status 130 too."""
    # Torch's threads wait for each other by spinning, on cores that others may need. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with standard_streams():
        try:
            from onnxray.cli.app import main as run

            run()
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            sys.exit(130)
