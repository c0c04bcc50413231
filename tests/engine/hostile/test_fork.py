"""A forked process works, or says why not; it never waits for threads that stayed in its parent."""

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import os, sys, time
import numpy as np, onnxray, torch
X = np.random.default_rng(0).integers(0, 256, (64, 1, 28, 28)).astype(np.uint8)

def parallel():  # wakes the threads of torch's pool
    a = torch.randn(600, 600, requires_grad=True)
    (a @ a).relu().sum().backward()

def forked(work):
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            work()
            print("worked")
        except onnxray.errors.OnnxrayError as error:
            print(type(error).__name__, error)
        except BaseException as error:
            print("LEAK", type(error).__name__, error)
        sys.stdout.flush()
        os._exit(0)
    for _ in range(200):
        if os.waitpid(child, os.WNOHANG)[0]:
            return
        time.sleep(0.05)
    os.kill(child, 9)
    print("HANG")

def gradient(m):
    return m.pullback(X, {"logits": lambda v, p: v})
"""


def lines(tmp_path: Path, script: str) -> list[str]:
    environment = {"PATH": "", "OMP_NUM_THREADS": "2", "ONNXRAY_CACHE": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", START + script], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


pytestmark = pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system does not fork")


def test_what_works_and_what_is_refused_after_a_fork(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        """
opened, used = onnxray.open("lenet"), onnxray.open("lenet")
forked(lambda: (opened.predict(X), gradient(opened)))       # opened alone
want = used.predict(X, scores=True).scores
inner = used.values(X[:2], ["ip1"])["ip1"]
def again():
    assert np.allclose(used.predict(X, scores=True).scores, want) and np.allclose(used.values(X[:2], ["ip1"])["ip1"], inner)
forked(again)                                               # predicted with
parallel()                                                  # torch, by somebody else
forked(lambda: gradient(used))
gradient(used)
forked(again)
forked(lambda: gradient(used))                              # a gradient of the same model
forked(lambda: gradient(opened))                            # ... and of another one
forked(lambda: used.values(X, ["ip1"], engine="twin"))
""",
    )
    assert found[:4] == ["worked"] * 4
    assert len(found) == 7
    for line in found[4:]:
        assert line.startswith("DeviceError the torch twin was started by process "), line
        assert "'spawn'" in line


def test_a_lock_that_was_held_while_forking_stops_no_child(tmp_path: Path) -> None:
    found = lines(
        tmp_path,
        """
import threading
m = onnxray.open("lenet")
m.predict(X)
held, go = threading.Event(), threading.Event()
def hold():
    with m.judge._files._own.lock, m._starting:
        held.set()
        go.wait()
thread = threading.Thread(target=hold)
thread.start()
held.wait()
forked(lambda: (m.predict(X), gradient(m)))
go.set()
thread.join()
""",
    )
    assert found == ["worked"]
