"""The command and its server as a process: the address, the end, a run with its zip, a second browser, bad input."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra onnxray[web] is not installed")
pytest.importorskip("uvicorn", reason="the extra onnxray[web] is not installed")

import onnxray
from onnxray.web.server.bodies import Refused
from onnxray.web.server.runs import Runs
from onnxray.web.server.store import Blobs
from support.auditing import digits
from support.children import child
from support.explored import Browsing, Explored, explored, until

DIGIT = digits(5)[4].path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Explored]:
    with explored("lenet", DIGIT, folder=tmp_path_factory.mktemp("explored")) as found:
        yield found


@pytest.fixture(scope="module")
def mine(server: Explored) -> Browsing:
    return server.entered()


def test_before_a_model_is_opened_it_is_small_and_imports_no_torch(server: Explored, mine: Browsing) -> None:
    if sys.platform == "linux":
        assert server.memory() < 150e6
    state = json.loads(mine.send("GET", "/state").body)
    assert state["models"] == ["lenet"]
    assert [one["label"] for one in state["files"]] == ["lenet", DIGIT.name]


def test_a_run_its_events_its_document_and_its_zip(server: Explored, mine: Browsing, tmp_path: Path) -> None:
    key = mine.files("picture")[0]["key"]
    started = mine.post("/runs", {"path": ["saliency", "grad-cam"], "pictures": [key], "options": {"layer": "conv2"}})
    assert started.status == 201, started.body
    run = json.loads(started.body)["key"]
    state = mine.ended(run)
    assert state["state"] == "done", state
    assert "saliency grad-cam --layer conv2" in state["typed"]
    document = json.loads(mine.send("GET", f"/runs/{run}").body)
    roles = {one["role"]: one["file"] for one in document["items"][0]["pictures"]}
    assert {"map", "overlay", "image"} <= roles.keys()
    shown = mine.send("GET", f"/runs/{run}/files/{roles['map']}")
    assert (shown.status, shown.headers["content-type"]) == (200, "image/png")
    with zipfile.ZipFile(io.BytesIO(mine.send("GET", f"/runs/{run}/zip").body)) as file:
        file.extractall(tmp_path)
    (folder,) = tmp_path.iterdir()
    result = onnxray.load(folder)
    expected = onnxray.methods.GradCAM(layer="conv2")(onnxray.open("lenet"), [DIGIT])
    assert (result[0].images["map"] == expected[0].images["map"]).all()
    assert server.raw("GET", f"/runs/{run}/zip").status == 403


def test_a_picture_that_is_dropped_is_in_the_zip_that_can_be_rerun(mine: Browsing, tmp_path: Path) -> None:
    dropped = json.loads(mine.send("POST", "/files", DIGIT.read_bytes(), **{"X-Label": "my%20four.png"}).body)
    assert dropped["label"] == "my four.png"
    run = json.loads(mine.post("/runs", {"path": ["attack", "fgsm"], "pictures": [dropped["key"]]}).body)["key"]
    assert mine.ended(run)["state"] == "done"
    with zipfile.ZipFile(io.BytesIO(mine.send("GET", f"/runs/{run}/zip").body)) as file:
        names = [Path(name).name for name in file.namelist()]
    assert any(name.startswith("dropped-") for name in names)
    assert "result.json" in names


def started(mine: Browsing, **stated: Any) -> str:
    answer = mine.post("/runs", stated)
    assert answer.status == 201, answer.body
    key: str = json.loads(answer.body)["key"]
    assert mine.ended(key)["state"] == "done"
    return key


def test_a_model_that_is_dropped_and_what_a_run_gave_are_chosen_by_their_ids(mine: Browsing) -> None:
    lenet = Path(str(onnxray.open("lenet").graph.path)).read_bytes()
    other = json.loads(mine.send("POST", "/files", lenet, **{"X-Label": "other.onnx"}).body)
    assert (other["label"], other["kind"]) == ("other.onnx", "model")
    nine = json.loads(mine.send("POST", "/files", digits(10)[9].path.read_bytes(), **{"X-Label": "nine.png"}).body)
    four = mine.files("picture")[0]["key"]
    transfer = started(mine, path=["attack", "transfer"], pictures=[four], files={"from_": [other["key"]]})
    with zipfile.ZipFile(io.BytesIO(mine.send("GET", f"/runs/{transfer}/zip").body)) as file:
        assert [name for name in file.namelist() if "dropped-" in name and name.endswith(".onnx")]
    universal = started(mine, path=["attack", "universal"], pictures=[four, nine["key"]], options={"epochs": 1})
    (array,) = json.loads(mine.send("GET", f"/runs/{universal}").body)["files"]
    assert array["kind"] == "array"
    assert array["label"].endswith("universal.npy")
    assert array in mine.files("array"), "it is there when the page is loaded anew"
    assert json.loads(mine.send("GET", f"/runs/{universal}").body)["files"] == [array], "and once"
    run = started(mine, path=["attack", "apply"], pictures=[four], files={"perturbation": [array["key"]]})
    place = json.loads(mine.send("GET", f"/runs/{run}").body)["items"][0]["pictures"][0]["file"]
    taken = json.loads(mine.post(f"/runs/{run}/files/{place}", {}).body)
    assert mine.post("/ask/seen", {"path": taken["key"]}).status == 200
    assert mine.post(f"/runs/{run}/files/999", {}).status == 404
    wrong = mine.post("/runs", {"path": ["attack", "apply"], "pictures": [four], "files": {"perturbation": [four]}})
    assert (wrong.status, "takes arrays" in json.loads(wrong.body)["error"]) == (400, True)
    assert mine.post("/runs", {"path": ["saliency", "gradient"], "pictures": [other["key"]]}).status == 400


def test_what_a_run_would_give_is_told_at_once(mine: Browsing) -> None:
    four = mine.files("picture")[0]["key"]
    fgsm = {"path": ["attack", "fgsm"], "pictures": [four], "options": {"eps": "60"}}
    before = json.loads(mine.send("GET", "/state").body)["runs"]
    found = json.loads(mine.post("/tried", fgsm).body)
    assert found["linf"] == 60
    assert mine.send("GET", f"/blobs/{found['png']}").body.startswith(b"\x89PNG")
    assert json.loads(mine.send("GET", "/state").body)["runs"] == before, "no run is made of it"
    assert mine.post("/tried", {**fgsm, "stale": "x"}).status == 400
    assert mine.post("/tried", {**fgsm, "folder": "/tmp"}).status == 400


def test_stopping_keeps_the_best_so_far_and_the_next_run_goes_on(mine: Browsing) -> None:
    key = mine.files("picture")[0]["key"]
    options = {"layer": "relu1", "steps": 1_000_000}
    run = json.loads(mine.post("/runs", {"path": ["invert"], "pictures": [key], "options": options}).body)["key"]

    def picture() -> str | None:
        state = next(one for one in json.loads(mine.send("GET", "/state").body)["runs"] if one["key"] == run)
        assert state["state"] in {"waiting", "running"}, state
        found: str | None = state["picture"]
        return found

    shown = until(picture)
    until(lambda: picture() != shown)
    late = mine.send("GET", f"/runs/{run}/picture?{shown}")  # of one that is gone by then
    assert late.body.startswith(b"\x89PNG")
    asked = mine.post("/ask/seen", {"path": key})
    assert asked.status == 200, "questions are answered beside a run"
    behind = json.loads(mine.post("/runs", {"path": ["verify"]}).body)["key"]
    mine.send("DELETE", f"/runs/{run}")
    assert mine.ended(run)["state"] == "stopped"
    document = json.loads(mine.send("GET", f"/runs/{run}").body)
    assert document["interrupted"] is True
    assert document["items"][0]["pictures"]
    assert mine.ended(behind)["state"] == "done"
    document = json.loads(mine.send("GET", f"/runs/{behind}").body)
    assert document["sha256"] == json.loads(mine.post("/ask/model", {}).body)["sha256"], "the page looks whose values"
    verified = document["verified"]
    assert verified["conv2"][0] == "agrees"


def test_a_question_that_takes_too_long_is_ended_and_memory_is_bounded(tmp_path: Path) -> None:
    limits = ["--timeout", "0.1", *(["--memory", "16GB"] if sys.platform == "linux" else [])]
    with explored("lenet", DIGIT, *limits, folder=tmp_path) as server:
        mine = server.entered()
        answer = mine.post("/ask/model", {})  # a process does not start so fast
        assert answer.status == 400
        assert "not answered within 0.1 s" in json.loads(answer.body)["error"]
        assert mine.send("GET", "/state").status == 200


def test_what_cannot_be_is_said(mine: Browsing) -> None:
    key = mine.files("picture")[0]["key"]
    for question, said in (
        ({"value": "conv", "picture": key}, "names 2 values"),
        ({"value": "nothing at all", "picture": key}, "no value"),
    ):
        answer = mine.post("/ask/value", question)
        assert answer.status == 400
        assert json.loads(answer.body)["error"]
        del said
    refused = mine.post("/runs", {"path": ["attack", "pgd"], "pictures": [key], "options": {"eps": "x"}})
    assert refused.status == 400
    assert "eps" in json.loads(refused.body)["error"]
    assert mine.send("POST", "/files", b"GIF89a nonsense").status == 415


def test_silent_connections_and_endless_headers_hold_nothing(server: Explored, mine: Browsing) -> None:
    host, _, port = server.host.partition(":")
    before = server.memory() if sys.platform == "linux" else 0
    idle = [socket.create_connection((host, int(port))) for _ in range(30)]
    try:
        with socket.create_connection((host, int(port)), timeout=20) as long:
            long.sendall(b"GET / HTTP/1.1\r\nHost: " + b"a" * 100_000)
            assert long.recv(100).startswith(b"HTTP/1.1 400")
        assert mine.send("GET", "/state").status == 200
    finally:
        for one in idle:
            one.close()
    if sys.platform == "linux":
        assert server.memory() - before < 20e6


def test_ten_thousand_events_are_one_state(server: Explored, mine: Browsing) -> None:
    """A run tells of a hundred steps a second; who does not read them is told the latest, and nothing piles up."""
    key = mine.files("picture")[0]["key"]
    options = {"layer": "relu1", "steps": 1_000_000}
    run = json.loads(mine.post("/runs", {"path": ["invert"], "pictures": [key], "options": options}).body)["key"]
    host, _, port = server.host.partition(":")
    deaf = []
    for _ in range(20):  # who asks for the events and reads none
        one = socket.create_connection((host, int(port)))
        one.sendall(f"GET /runs/{run}/events HTTP/1.1\r\nHost: {server.host}\r\nCookie: {mine.cookie}\r\n\r\n".encode())
        deaf.append(one)
    before = server.memory() if sys.platform == "linux" else 0
    end = time.monotonic() + 2
    while time.monotonic() < end:
        assert mine.send("GET", "/state").status == 200
    for one in deaf:  # the tab is closed in the middle of it
        one.close()
    after = server.memory() if sys.platform == "linux" else 0
    assert after - before < 20e6
    mine.send("DELETE", f"/runs/{run}")
    assert mine.ended(run)["state"] in {"stopped", "failed"}


def test_the_process_that_works_is_ended_and_begins_anew(mine: Browsing) -> None:
    assert mine.post("/ask/model", {}).status == 200
    assert mine.post("/ended", {}).status == 200
    assert mine.post("/ask/model", {}).status == 200


@pytest.mark.skipif(sys.platform != "linux", reason="which processes are whose is read from /proc")
def test_a_native_fault_ends_the_run_alone_and_is_said(server: Explored, mine: Browsing) -> None:
    key = mine.files("picture")[0]["key"]
    options = {"steps": 1_000_000, "eps": 1}
    run = json.loads(mine.post("/runs", {"path": ["attack", "square"], "pictures": [key], "options": options}).body)[
        "key"
    ]
    until(lambda: json.loads(mine.send("GET", "/state").body)["runs"][-1]["state"] == "running")
    stats = {
        path.parent.name: path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat")
    }
    below = [int(pid) for pid, stat in stats.items() if stat[1] == str(server.process.pid)]
    workers = [pid for pid in below if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 1
    os.kill(workers[0], signal.SIGSEGV)
    state = mine.ended(run)
    assert state["state"] == "failed"
    assert "a native library ended the process" in state["error"]
    assert mine.post("/ask/model", {}).status == 200


def test_ctrl_c_ends_it_with_what_it_started(tmp_path: Path) -> None:
    with explored("lenet", DIGIT, folder=tmp_path) as server:
        mine = server.entered()
        assert mine.post("/ask/model", {}).status == 200
        server.process.send_signal(signal.SIGINT)
        _, said = server.process.communicate(timeout=30)
    assert server.process.returncode == 0
    assert "ended" in said
    assert "Traceback" not in said
    assert not (tmp_path / "explored").exists(), "nothing was run, so nothing is left"


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_run_on_its_way_keeps_what_it_has_when_the_page_ends(tmp_path: Path, number: signal.Signals) -> None:
    with explored("lenet", DIGIT, folder=tmp_path) as server:
        mine = server.entered()
        key = mine.files("picture")[0]["key"]
        question = {"path": ["invert"], "pictures": [key], "options": {"layer": "relu1", "steps": 1_000_000}}
        for _ in range(2):
            assert mine.post("/runs", question).status == 201
        until(lambda: json.loads(mine.send("GET", "/state").body)["runs"][0]["picture"])
        server.process.send_signal(number)
        _, said = server.process.communicate(timeout=60)
    assert "ends with what it has" in said
    assert "Traceback" not in said
    (folder,) = (tmp_path / "explored").iterdir()
    assert json.loads((folder / "result.json").read_text())["interrupted"] is True
    assert len(onnxray.load(folder)) == 1
    assert not [one for one in folder.iterdir() if one.name.startswith(".")], "nothing is half-written"


def test_a_browser_in_the_terminal_can_ask_for_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for by who opens it, and waits itself for the server."""
    code = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).status, file=open(sys.argv[2], 'w'))"
    (tmp_path / "browser.py").write_text(code)
    monkeypatch.setenv("BROWSER", f"{sys.executable} {tmp_path / 'browser.py'} %s {tmp_path / 'seen'}")
    with explored("lenet", "--browser", folder=tmp_path):
        until(lambda: (tmp_path / "seen").exists() and (tmp_path / "seen").read_text().strip() == "200", within=20)


def test_results_alone_are_shown_without_a_model(tmp_path: Path) -> None:
    onnxray.methods.GradCAM(layer="conv2")(onnxray.open("lenet"), [DIGIT]).save(tmp_path / "runs" / "one")
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "result.json").write_text('{"schema": 1, "items": [{"files": {"x": "../../y"}}]}')
    with explored("--results", tmp_path / "runs", folder=tmp_path) as server:
        mine = server.entered()
        state = json.loads(mine.send("GET", "/state").body)
        assert [one["title"] for one in state["runs"]] == ["damaged", "one"]
        document = json.loads(mine.send("GET", "/runs/r2").body)
        assert [one["role"] for one in document["items"][0]["pictures"]][:1]
        assert mine.send("GET", "/runs/r1").status in {200, 404}
        assert mine.post("/ask/model", {}).status == 409
        assert mine.post("/runs", {"path": ["verify"]}).status == 409


@pytest.mark.parametrize(
    "text",
    ['{"schema": 1, "items": 3}', '{"schema": 1, "items": [{"files": {"image": ["a"]}, "x": NaN}], "seconds": Infinity}',
     '{"schema": 1, "items": [], "notes": 7}', '{"schema": 9, "items": []}', "[]", "{", '{"schema": 1, "items": [7, null]}',
     '{"schema": 1, "items": [{"files": {"image": "../../../etc/passwd", "map": "result.json"}}]}'],
)  # fmt: skip
def test_a_damaged_run_is_said_to_be_and_leads_nowhere(tmp_path: Path, text: str) -> None:
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "result.json").write_text(text)
    runs = Runs(tmp_path / "out", None, Blobs(), tmp_path / "runs")
    (run,) = runs
    try:
        document = runs.document(run)
    except Refused as refusal:
        document = {"items": [], "status": refusal.status, "text": refusal.text}
    assert "\n" not in json.dumps(document, allow_nan=False)
    assert document.get("status", 404) == 404
    assert [one for item in document["items"] for one in item["pictures"]] == []


def test_without_the_extra_it_says_how_to_get_it() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; sys.argv = ['onnxray', 'explore', 'lenet']; from onnxray.cli import main; main()"
    process: subprocess.Popen[str] = child("-c", code)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said.strip() == "onnxray: explore needs uvicorn: pip install 'onnxray[web]'"


def refused(*arguments: object) -> str:
    process: subprocess.Popen[str] = child("-m", "onnxray", "explore", *arguments, "--no-browser")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 1, said
    lines = said.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused("lenet", "--port", taken.getsockname()[1])
    assert "cannot be had" in said
    assert "leave out --port" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lenet", "--host", "192.0.2.1"], "--i-know"), (["lenet", "--host", "0.0.0.0"], "name the one address"),
        (["lenet", "no-such.png"], "no such file"), ([], "no model was given"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_one_line(arguments: list[str], said: str) -> None:
    assert said in refused(*arguments)
