"""Ray's actors give what is done inline, on a cluster of two nodes on this machine; what dies or hangs is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from onnxray.assess.audit.checks.accuracy import Accuracy
from onnxray.assess.audit.checks.file import File
from onnxray.assess.jobs.executors import Failure
from onnxray.errors import InputError
from onnxray_adapters.ray_jobs import Ray
from support.audits import Brightness, at_least, audited, policy, use, without_run, write_model, write_pictures
from support.job_tasks import group, work
from support.paths import ROOT


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install onnxray\[ray\]"):
        Ray("auto", 1)


def node(*arguments: str) -> subprocess.Popen[bytes]:
    ours = (str(ROOT / part) for part in ("engine", "adapters", "models", "tests"))
    path = os.pathsep.join([*ours, *filter(None, [os.environ.get("PYTHONPATH")])])
    shared = ("--num-cpus=1", "--disable-usage-stats", "--node-ip-address=127.0.0.1", "--block")
    return subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments, *shared],
        env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Where a cluster of two nodes is."""
    ray = pytest.importorskip("ray")
    address = f"127.0.0.1:{free_port()}"
    nodes = [node("--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false")]
    try:
        until = time.monotonic() + 120
        while True:
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
                break
            except (ConnectionError, ValueError, RuntimeError, OSError):
                assert time.monotonic() < until, "no cluster came up"
                time.sleep(1)
        nodes.append(node(f"--address={address}"))
        while len([one for one in ray.nodes() if one["Alive"]]) < 2:
            assert time.monotonic() < until, "no second node came up"
            time.sleep(1)
        yield address
        ray.shutdown()
    finally:
        for one in reversed(nodes):
            one.terminate()
            one.wait()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_two_nodes_give_the_document_of_one_process(cluster: str, tmp_path: Path) -> None:
    paths = [write_model(tmp_path / f"{seed}.onnx", seed) for seed in range(2)]
    images = write_pictures(tmp_path / "images", 40)
    stated = policy(
        use(File(), level="block"), use(Brightness()), use(Accuracy(), level="block", limits=(at_least(0.5),))
    )
    inline = audited(paths, images, stated, tmp_path / "a", labels="folders")
    actors = audited(paths, images, stated, tmp_path / "b", Ray(cluster, 2), labels="folders")
    assert json.dumps(without_run(inline)) == json.dumps(without_run(actors))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_dies_hangs_or_is_refused_is_told_and_the_rest_goes_on(cluster: str, tmp_path: Path) -> None:
    tasks = [("dies", str(tmp_path / "1")), ("refused", "bread"), ("hang", ""), ("say", "a"), ("say", "b")]
    executor = Ray(cluster, 2, timeout=20)
    try:
        found = dict(executor.run(tasks, work, group, lambda: True))
    finally:
        executor.close()
    kinds = {task[0]: answer.kind for task, answer in found.items() if isinstance(answer, Failure)}
    assert kinds == {"dies": "died", "refused": "refused", "hang": "timeout"}
    assert found["say", "a"] == b"say a "
    assert found["say", "b"] == b"say b "


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_no_cluster_is_one_line() -> None:
    pytest.importorskip("ray").shutdown()
    with pytest.raises(InputError, match="no Ray cluster at"):
        Ray(f"127.0.0.1:{free_port()}", 1)
