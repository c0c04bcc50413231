"""What every page says of its run."""

from dataclasses import replace

import onnxray
from onnxray.report.pages import model_name
from onnxray.results.provenance import provenance


def test_the_models_name_is_that_of_its_file() -> None:
    stamp = provenance(onnxray.open("lenet"), name="m", options={}, seed=0, seconds=0.0, notes=())
    assert model_name(stamp) == "lenet.onnx"
    assert model_name(replace(stamp, model={"path": None})) == "model"
