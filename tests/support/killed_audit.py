"""An audit in a process of its own, to be killed: models, pictures and a store by their paths.

python -m support.killed_audit FOLDER COUNT MODELS SECONDS EXECUTOR OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.checks.file import File
from onnxray.assess.jobs.executors import Executor, Inline
from onnxray.assess.jobs.processes import Processes
from support.audits import Brightness, at_least, audited, policy, use


def main(folder: Path, seconds: float, executor: Executor, out: Path, log: str) -> None:
    stated = policy(
        use(File(), level="block"), use(Brightness(seconds=seconds, log=log)),
        use(Accuracy(), level="block", limits=(at_least(0.5),)),
    )  # fmt: skip
    models = sorted(map(str, folder.glob("*.onnx")))
    found = audited(models, str(folder / "images"), stated, out / "store", executor, labels="folders")
    found.save(out / "report")


if __name__ == "__main__":
    _, folder, seconds, executor, out, log = sys.argv
    main(Path(folder), float(seconds), Inline() if executor == "inline" else Processes(2), Path(out), log)
