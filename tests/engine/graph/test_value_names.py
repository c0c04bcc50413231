"""How a user names a value."""

import onnx
import pytest

from onnxray.errors import UnknownValue
from onnxray.graph.classifier.output import aliases_of
from onnxray.graph.facts import Graph
from onnxray.graph.reading import read_graph
from onnxray.graph.value_names import Selection, resolve, resolve_values
from support import models


def chain(*names: str, shape: str = "N,4,5,6") -> Graph:
    """A graph whose values are x and ``names``, one a node."""
    model = models.parse(f"g (float[{shape}] x) => (float[{shape}] last) {{ last = Relu (x) }}")
    del model.graph.node[:]
    for before, name in zip(("x", *names), names):
        model.graph.node.append(onnx.helper.make_node("Relu", [before], [name], name=f"node of {name}"))
    model.graph.output[0].name = names[-1]
    return read_graph(model)


def find(graph: Graph, text: str) -> Selection:
    return resolve(graph, text, aliases_of(graph))


def test_exact_names_win_over_everything() -> None:
    graph = chain("logits", "features", "conv:3", "conv", "a*", "value:conv", "x/conv", "end")
    for name in ("logits", "conv:3", "conv", "a*", "value:conv", "x/conv"):
        assert find(graph, name) == Selection(name)
    assert resolve_values(graph, ("a*", "conv:3"), aliases_of(graph)) == ("a*", "conv:3")


def test_aliases(lenet: onnx.ModelProto) -> None:
    graph = read_graph(lenet)
    assert find(graph, "logits") == Selection("ip2")
    assert find(graph, "features") == Selection("ip1")
    assert find(graph, "last-conv") == Selection("conv2")
    assert find(graph, "last-conv:3") == Selection("conv2", 3)
    assert find(graph, "logits:4") == Selection("ip2", 4)
    assert resolve(graph, "logits", {"logits": "ip1"}) == Selection("ip1")  # the profile's word


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("relu_1", "/layer4/layer4.1/relu_1/Relu_output_0"),
        ("conv1", "net/conv1/BiasAdd:0"),
        ("Relu_output_0", "/layer4/layer4.1/relu_1/Relu_output_0"),
        ("BiasAdd", "net/conv1/BiasAdd:0"),
        ("conv1/BiasAdd", "net/conv1/BiasAdd:0"),
        ("BiasAdd:0", "net/conv1/BiasAdd:0"),
        ("relu_1/Relu", "/layer4/layer4.1/relu_1/Relu_output_0"),
        ("dense_1", "model.dense_1"),
        ("node of model.dense_1", "model.dense_1"),
    ],
)
def test_short_forms(text: str, name: str) -> None:
    graph = chain("/layer4/layer4.1/relu_1/Relu_output_0", "net/conv1/BiasAdd:0", "model.dense_1", "end")
    if text in {"relu_1", "conv1"}:  # a middle part is no short form: the end of a name is
        with pytest.raises(UnknownValue, match="nearest: .*"):
            find(graph, text)
    else:
        assert find(graph, text) == Selection(name)


def test_a_short_form_starts_at_a_separator() -> None:
    graph = chain("net/myconv", "end")
    with pytest.raises(UnknownValue):
        find(graph, "conv")


def test_ambiguous_short_forms_name_their_candidates() -> None:
    graph = chain("a/relu", "b/relu", "c.relu", "end")
    with pytest.raises(UnknownValue, match="could be any of 3 values: 'a/relu', 'b/relu', 'c.relu'; give the whole"):
        find(graph, "relu")
    assert find(graph, "a/relu") == Selection("a/relu")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv:0", Selection("conv", 0)),
        ("conv:3", Selection("conv", 3)),
        ("conv:3,4,5", Selection("conv", 3, (4, 5))),
        ("add:0", Selection("add:0")),
        ("add:0:2", Selection("add:0", 2)),
        ("add:0:2,1,0", Selection("add:0", 2, (1, 0))),
        ("value:conv", Selection("conv")),
        ("value:conv:2", Selection("conv", 2)),
        ("9", Selection("9")),
        ("value:9", Selection("9")),
        ("9:1", Selection("9", 1)),
        ("node of conv:1", Selection("conv", 1)),
    ],
)
def test_channels_and_neurons(text: str, expected: Selection) -> None:
    assert find(chain("conv", "add:0", "9", "end"), text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("conv:4", "has 4 channels, 0 to 3; there is no channel 4"),
        ("conv:99999999999999999999", "has 4 channels"),
        ("conv:0,5,0", "has 5 rows, 0 to 4; there is no row 5"),
        ("conv:0,0,6", "has 6 columns, 0 to 5; there is no column 6"),
        ("conv:-1", "no value 'conv:-1'"),
        ("conv:1,2", "no value 'conv:1,2'"),
        ("conv:", "no value 'conv:'"),
        ("cnv:1", "no value 'cnv'; nearest: 'conv'"),
        ("Conv", "nearest: 'conv'"),
        ("", "no value ''"),
        ("value:", "no value ''"),
        ("nothing at all", "no value 'nothing at all'"),
    ],
)
def test_what_is_not_there(text: str, said: str) -> None:
    with pytest.raises(UnknownValue, match=said) as caught:
        find(chain("conv", "end"), text)
    assert "\n" not in str(caught.value)


def test_near_misses_are_at_most_three() -> None:
    graph = chain(*(f"block{k}/relu" for k in range(9)), "end")
    with pytest.raises(UnknownValue) as caught:
        find(graph, "blok1/relu")
    assert str(caught.value).count("block") == 3
    assert "'block1/relu'" in str(caught.value)


def test_neurons_need_four_dimensions_and_channels_two() -> None:
    with pytest.raises(UnknownValue, match="needs one of four dimensions"):
        find(chain("flat", shape="N,10"), "flat:1,0,0")
    with pytest.raises(UnknownValue, match="no channels"):
        find(chain("one", shape="N"), "one:0")
    assert find(chain("flat", shape="N,10"), "flat:9") == Selection("flat", 9)


def test_globs_give_graph_order_and_each_value_once() -> None:
    graph = chain("b/conv", "a/conv", "b/relu", "end")
    assert resolve_values(graph, ("*/conv", "a/*", "end"), aliases_of(graph)) == ("b/conv", "a/conv", "end")
    assert resolve_values(graph, ("[ab]/relu", "x"), aliases_of(graph)) == ("b/relu", "x")
    assert resolve_values(graph, ("?/conv",), aliases_of(graph)) == ("b/conv", "a/conv")
    with pytest.raises(UnknownValue, match="no value matches the pattern 'z\\*'"):
        resolve_values(graph, ("z*",), aliases_of(graph))


def test_a_name_with_brackets_is_a_name() -> None:
    graph = chain("conv[0]", "end")
    assert resolve_values(graph, ("conv[0]",), aliases_of(graph)) == ("conv[0]",)


def test_whole_values_refuse_a_channel() -> None:
    graph = chain("conv", "end")
    with pytest.raises(UnknownValue, match="a whole value was expected, got the channel 'conv:1'; name 'conv' alone"):
        resolve_values(graph, ("conv:1",), aliases_of(graph))


def test_a_left_out_first_output_has_no_name_to_find() -> None:
    model = models.parse("g (float[3,2,4] x) => (float[1,2,5] h) { [rnn] _, h = LSTM <hidden_size = 5> (x, w, r) }",
                         {"w": models.random(0, 1, 20, 4), "r": models.random(1, 1, 20, 5)})  # fmt: skip
    model.graph.node[0].output[0] = ""
    graph = read_graph(model)
    assert find(graph, "rnn") == Selection("h")


def test_a_name_that_is_half_alike_is_near() -> None:
    """2 * 3 / (3 + 9) is the least likeness that is suggested; 2 * 3 / (3 + 10) is less."""
    for name, near in (("abcdefghi", True), ("abcdefghij", False)):
        graph = read_graph(
            models.parse(f"g (float[N,2] {name}) => (float[N,2] zzzzzzzzzz) {{ zzzzzzzzzz = Neg ({name}) }}")
        )
        with pytest.raises(UnknownValue) as error:
            resolve(graph, "ace", {})
        assert (f"nearest: {name!r}" in str(error.value)) == near
