"""``python -m onnxray``."""

from onnxray.cli import main

if __name__ == "__main__":
    main()
