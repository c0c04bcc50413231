"""Cuts of one importer: which are kept, where they are moved to, and what a file without versions means."""

import numpy as np
import pytest
import torch

import onnxray
from onnxray.errors import UnsupportedOperator
from onnxray.graph.reading import read_graph
from onnxray.importer import walk
from onnxray.importer.nodes.scope import Converted, Scope
from onnxray.importer.walk import Importer
from support import models

LONG = " ".join(f"v{k + 1} = Neg (v{k})" for k in range(17))


def test_the_latest_sixteen_cuts_are_kept() -> None:
    importer = Importer(read_graph(models.parse(f"g (float[N,2] v0) => (float[N,2] v17) {{ {LONG} }}")))
    cuts = [importer.cut((f"v{k}",)) for k in range(1, 17)]
    assert importer.cut(("v1",)) is cuts[0]
    importer.cut(("v17",))
    assert importer.cut(("v1",)) is cuts[0]
    assert importer.cut(("v3",)) is cuts[2]
    assert importer.cut(("v2",)) is not cuts[1]


@pytest.mark.parametrize(("device", "expected"), [(None, "cpu"), ("cpu", "cpu"), ("meta", "meta")])
def test_a_cut_lies_on_the_importer_s_device(device: str | None, expected: str) -> None:
    graph = read_graph(models.lenet())
    module = Importer(graph, device=None if device is None else torch.device(device)).cut(("ip2",))
    held = [*module.parameters(), *module.buffers()]
    assert held
    assert {tensor.device.type for tensor in held} == {expected}


def test_weights_do_not_train_unless_they_shall() -> None:
    graph = read_graph(models.lenet())
    assert not any(parameter.requires_grad for parameter in Importer(graph).cut(("ip2",)).parameters())
    trained = Importer(graph, trainable=True).cut(("ip2",)).parameters()
    assert [parameter.requires_grad for parameter in trained] == [True] * 8


def test_an_operator_of_a_domain_without_a_version_is_its_first() -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { a = Neg (x)  y = com.microsoft.Gelu (a) }")
    graph = read_graph(model)
    assert Importer(graph).scope(graph.nodes[1]).version == 1
    x = torch.linspace(-2, 2, 6).reshape(3, 2)
    expected = torch.nn.functional.gelu(-x)
    torch.testing.assert_close(onnxray.to_torch(model, verify=False)(x), expected)


def test_what_a_converter_runs_into_is_said_in_its_first_line_of_200_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stumbling(scope: Scope) -> Converted:
        raise ValueError("a" * 201 + "\nmore")

    monkeypatch.setattr(walk, "CONVERTERS", {("", "Neg", 13): stumbling})
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Neg (x) }")
    with pytest.raises(UnsupportedOperator, match=r"do not fit \(ValueError: a{200}\)\. "):
        Importer(read_graph(model)).cut(("y",))


def test_a_value_that_no_weight_moves_is_constant() -> None:
    model = models.parse(
        "g (float[N,2] x) => (float[N,2] y) { c = Neg (w)  y = Mul (x, c) }", {"w": np.ones(2, np.float32)}
    )
    assert Importer(read_graph(model)).cut(("y", "c")).constant_names == {"c"}


def test_weights_lie_as_the_file_has_them_unless_they_shall_not() -> None:
    model = models.parse(
        "g (float[N,3,4,4] x) => (float[N,5,3,3] y) { y = Conv (x, w) }", {"w": models.random(0, 5, 3, 2, 2)}
    )
    for last in (False, True):
        (weight,) = Importer(read_graph(model), **({"channels_last": True} if last else {})).cut(("y",)).parameters()
        assert weight.is_contiguous() != last
        assert weight.is_contiguous(memory_format=torch.channels_last) == last


def test_an_operator_set_that_onnx_does_not_know_is_refused_and_other_domains_are_not() -> None:
    model = models.parse("g (float[N,2] x) => (float[N,2] y) { y = Neg (x) }")
    model.opset_import.add(domain="com.microsoft", version=999)
    assert onnxray.to_torch(model, verify=False)(torch.ones(1, 2)).tolist() == [[-1, -1]]
    model.opset_import[0].version = 999
    with pytest.raises(UnsupportedOperator, match="the file's opset 999 is newer than the installed onnx"):
        onnxray.to_torch(model, verify=False)
