"""Tables of operands against what ONNX and ONNX Runtime call them in their own schemas."""

import onnxruntime.capi.onnxruntime_pybind11_state as runtime
import pytest

from onnxray.graph.operator_kinds import LAYER_OPERANDS, ZERO_POINTS

SCHEMAS = {
    (schema.domain, schema.name): [operand.name for operand in schema.inputs]
    for schema in runtime.get_all_operator_schema()
}


def named(operator: str) -> list[list[str]]:
    return [names for (domain, name), names in SCHEMAS.items() if name == operator and domain in {"", "com.microsoft"}]


@pytest.mark.parametrize("operator", LAYER_OPERANDS)
def test_a_layers_weight_and_bias_stand_where_the_schema_says(operator: str) -> None:
    weight, *bias = LAYER_OPERANDS[operator]
    assert named(operator)
    for names in named(operator):
        assert names[weight].casefold() in ({"w"} if "Conv" in operator else {"b"})
        if bias:
            assert names[bias[0]] in ({"B"} if "Conv" in operator else {"C", "bias"})
        else:
            assert not {"B", "C", "bias"}.intersection(names[weight + 1 :])


@pytest.mark.parametrize(("domain", "operator"), ZERO_POINTS)
def test_a_zero_point_of_what_comes_out_stands_where_the_schema_says(domain: str, operator: str) -> None:
    names, place = SCHEMAS[domain, operator], ZERO_POINTS[domain, operator]
    assert names[place].casefold() in {"y_zero_point", "c_zero_point", "z_zero_point"}
    assert names[place - 1].casefold() == names[place].casefold().replace("zero_point", "scale")
