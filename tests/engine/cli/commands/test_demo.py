"""The demo's document is a result like every other."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

import onnxray_models
from onnxray.cli.app import app
from onnxray.methods.lots.item import LotsItem
from onnxray.results.result import Result


def test_what_it_writes_can_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = [path for path in onnxray_models.samples("lenet") if path.stem in {"1_0", "4_0", "4_1", "9_0"}]
    monkeypatch.setattr(onnxray_models, "samples", lambda name: few)
    done = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "run")])
    assert done.exit_code == 0, (done.stderr, done.exception)
    assert "How stable is each layer?" in done.stdout
    whole = Result.load(tmp_path / "run", LotsItem)
    assert (whole.provenance.method["name"], whole.provenance.seed, whole.items) == ("demo", 0, ())
    assert [layer["layer"] for layer in whole.extra["stability"]] == ["conv1", "conv2", "ip1", "ip2"]
    assert set(whole.extra["pairs_reaching_target"]) == {"conv1", "conv2", "ip1", "ip2"}
    for name, count in (("inhibit", 16), ("magnify", 4), ("targeted", 8)):
        part = Result.load(tmp_path / "run" / name, LotsItem)
        assert len(part.items) == len(whole.extra["runs"][name]["items"]) == count
        assert part.provenance.model["sha256"] == whole.provenance.model["sha256"]
    assert whole.provenance.seconds >= whole.extra["runs"]["inhibit"]["seconds"]
    page = (tmp_path / "run" / "index.html").read_text(encoding="utf-8")
    for name in ("sheet.png", "stability.png", "inhibit/index.html", "magnify/index.html", "targeted/index.html"):
        assert f'href="{name}"' in page
        assert (tmp_path / "run" / name).is_file()
    assert page.count("<img src=") == 2
