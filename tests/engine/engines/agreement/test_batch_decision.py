"""Whether the samples of a batch depend on each other, where the graph alone does not tell: tried once on the judge."""

import pytest

import onnxray
from support import models

R = models.random


@pytest.mark.parametrize("batch", ["N", "4"])
@pytest.mark.parametrize(
    ("equation", "operands", "why"),
    [
        ("ij,jk->ik", "x, w", None),
        ("ij,ij->ij", "x, x", None),
        ("ij,kj->ik", "x, x", {"N": "the shape of value 'y' depends on", "4": "depends on the others in its batch"}),
        ("ij,il->jl", "x, x", {"N": "has no axis along which", "4": "depends on the others in its batch"}),
    ],
)
def test_what_no_rule_knows_is_tried(batch: str, equation: str, operands: str, why: dict[str, str] | None) -> None:
    """A sample alone, or in a batch that the file fixes with copies of itself, against the same in company."""
    model = onnxray.open(
        models.parse(
            f'g (float[{batch},4] x) => (float[a,b] y) {{ y = Einsum <equation = "{equation}"> ({operands}) }}',
            {"w": R(0, 4, 5)} if "w" in operands else {},
        )
    )
    assert model.values(R(1, 4, 4), ["y"])["y"].shape == (4, 5 if "w" in operands else 4)
    said = model.mixing.found(("y",))
    assert said is None if why is None else why[batch] in str(said)
