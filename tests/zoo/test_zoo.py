"""Real trained models, where they are there: ``conformance.zoo`` says what is asked of them, and of which folder."""

import pytest

from conformance import report, tables, zoo

pytestmark = pytest.mark.skipif(not zoo.files(), reason="no models in ../shared/zoo, nor where ONNXRAY_ZOO says")

TABLE = tables.read(tables.FOLDER / "zoo.csv")


@pytest.mark.parametrize("name", zoo.files())
def test_model(name: str) -> None:
    found = zoo.run(name)
    report.count("zoo", found.kind)
    assert found.kind == TABLE.get(name), f"{name} is {found.kind}, {found.why}"


def test_table() -> None:
    """No model is wrong, and none has gone."""
    assert set(TABLE) == set(zoo.files())
    assert not {"wrong", "crash"} & set(TABLE.values())
