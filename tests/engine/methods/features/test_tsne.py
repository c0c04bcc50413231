"""t-SNE maps of digits: scikit-learn's own for the seed, what stands beside them, and what cannot be mapped."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import onnxray
from onnxray.display.sheets import drawn
from onnxray.errors import InputError
from onnxray.images.picture_list import PictureList
from onnxray.methods.features import tsne
from onnxray.methods.features.extraction import Extraction
from onnxray.methods.features.tsne import TSNE
from onnxray.methods.features.tsne_item import TsneItem
from onnxray.report.features.map_parts import unpacked
from onnxray.results.keeping import Keeping
from onnxray.results.result import Result
from support.feature_folders import digits, plain

sklearn = pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def lenet() -> onnxray.Model:
    return onnxray.open("lenet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits(tmp_path_factory.mktemp("digits"), 6)


@pytest.fixture(scope="module")
def mapped(lenet: onnxray.Model, folder: Path) -> Result[TsneItem]:
    method = TSNE(layer=("relu1", "pool1"), true_labels="folders", perplexity=15, export="projector")
    return method(lenet, str(folder), seed=3)


def codes_of(model: onnxray.Model, paths: Sequence[str], layer: str, place: Path) -> np.ndarray:
    """As ``features extract`` gives them: to the last digit, for a map hangs on it."""
    assert model.profile is not None
    pictures = PictureList.of(list(paths), model.profile)
    found = Extraction(layers=(layer,), predictions=False).walk(model, pictures, place, lambda *_: None)
    return np.asarray(found.arrays[f"value {layer}"]).reshape(len(paths), -1)


@pytest.mark.parametrize(("place", "layer"), [(0, "relu1"), (1, "pool1")])
def test_a_map_is_scikit_learns_own_for_the_seed(
    lenet: onnxray.Model, mapped: Result[TsneItem], place: int, layer: str, tmp_path: Path
) -> None:
    from sklearn.manifold import TSNE as Theirs

    codes = codes_of(lenet, mapped.extra["points"]["path"], layer, tmp_path)
    theirs = Theirs(perplexity=15, init="pca", random_state=3)
    item = mapped.items[place]
    np.testing.assert_array_equal(item.numbers_["positions"], theirs.fit_transform(codes))
    assert item.divergence == pytest.approx(theirs.kl_divergence_)
    assert item.made_by == f"scikit-learn {sklearn.__version__}"
    np.testing.assert_array_equal(item.numbers_["codes"], codes)


def test_beside_it_stand_the_nearest_of_the_layer_and_what_tells_whether_it_is_true(mapped: Result[TsneItem]) -> None:
    from sklearn.manifold import trustworthiness

    item, labels = mapped.items[0], np.array(mapped.extra["points"]["label"])
    codes, positions = item.numbers_["codes"].astype(np.float64), item.numbers_["positions"]
    assert item.trustworthiness == pytest.approx(trustworthiness(codes, positions, n_neighbors=5))
    assert item.continuity == pytest.approx(trustworthiness(positions, codes, n_neighbors=5))
    far = np.linalg.norm(codes[:, None] - codes, axis=2)
    np.fill_diagonal(far, np.inf)
    near = np.argsort(far, axis=1, kind="stable")[:, :5]
    np.testing.assert_array_equal(item.numbers_["neighbors"], near)
    np.testing.assert_allclose(item.numbers_["distances"], np.take_along_axis(far, near, 1), rtol=1e-4)
    own = [
        max(row.tolist(), key=lambda one: (row.tolist().count(one), -row.tolist().index(one))) for row in labels[near]
    ]
    assert item.accuracy is not None
    assert item.accuracy["original"] == pytest.approx(np.mean(np.array(own) == labels))
    assert item.accuracy["original"] > 0.85
    assert item.labelled_by == "labels"
    assert mapped.items[1].accuracy is not None
    assert mapped.items[1].accuracy["original"] < item.accuracy["original"], "a deeper layer parts digits better"


def test_what_is_known_of_the_pictures_and_their_thumbnails(lenet: onnxray.Model, mapped: Result[TsneItem]) -> None:
    known = mapped.extra["points"]
    said = lenet.predict(known["path"])
    assert known["label"] == [Path(path).parent.name for path in known["path"]]
    assert known["prediction"] == list(said.labels)
    assert known["correct"] == [a == b for a, b in zip(known["label"], known["prediction"])]
    np.testing.assert_allclose(known["probability"], said.probabilities.max(1), rtol=1e-5)
    item = mapped.items[0]
    np.testing.assert_array_equal(unpacked(item), lenet.pixels(known["path"]).array)
    assert sorted(drawn(mapped)) == ["map.html", "maps.png"]


def test_a_kept_run_is_loaded_as_it_was(lenet: onnxray.Model, tmp_path: Path) -> None:
    with Keeping.into(tmp_path / "out", "features-tsne") as keep:
        result = TSNE(layer="ip1", perplexity=5)(lenet, str(plain(tmp_path / "in")), keep=keep)
        keep.complete(result)
    loaded = onnxray.load(tmp_path / "out")
    assert loaded.items[0].numbers() == result.items[0].numbers()
    for role, array in result.items[0].files().items():
        np.testing.assert_array_equal(loaded.items[0].files()[role][1], array[1])
    assert drawn(loaded)["map.html"] == drawn(result)["map.html"]


def test_few_pictures_have_a_smaller_perplexity_and_fewer_none(lenet: onnxray.Model, tmp_path: Path) -> None:
    result = TSNE(layer="ip1")(lenet, str(plain(tmp_path, 12)))
    assert result.items[0].perplexity == 3
    assert any("the perplexity is 3 in place of 30" in note for note in result.provenance.notes)
    assert result.items[0].labelled_by == "predictions"
    with pytest.raises(InputError, match=r"the perplexity is 12, and there are 12 pictures"):
        TSNE(layer="ip1", perplexity=12)(lenet, str(tmp_path))
    with pytest.raises(InputError, match=r"a map takes 4 pictures or more; 3 can be read"):
        TSNE(layer="ip1")(lenet, [str(path) for path in sorted(tmp_path.iterdir())[:3]])
    four = TSNE(layer="ip1")(lenet, [str(path) for path in sorted(tmp_path.iterdir())[:4]])
    assert four.items[0].trustworthiness is None
    assert "half of the 4 pictures" in str(four.items[0].reason)


def test_a_layer_that_is_the_same_for_all_has_no_map(lenet: onnxray.Model) -> None:
    same = np.full((6, 1, 28, 28), 40, np.uint8)
    with pytest.raises(InputError, match=r"'ip1' is the same for all 6 pictures"):
        TSNE(layer="ip1")(lenet, same)


def test_components_come_first_and_strange_exports_are_refused(lenet: onnxray.Model, folder: Path) -> None:
    from sklearn.decomposition import PCA

    whole = TSNE(layer="ip1", true_labels="folders", export="projector", perplexity=5)(lenet, str(folder))
    some = TSNE(layer="ip1", true_labels="folders", export="projector", perplexity=5, components=10)(lenet, str(folder))
    codes = whole.items[0].numbers_["codes"]
    np.testing.assert_allclose(
        some.items[0].numbers_["codes"], PCA(10, random_state=0).fit_transform(codes), rtol=1e-4, atol=1e-3
    )
    np.testing.assert_array_equal(some.items[0].numbers_["neighbors"], whole.items[0].numbers_["neighbors"])
    with pytest.raises(InputError, match=r"export is 'pdf'; embedding-atlas or projector was expected"):
        TSNE(export="pdf")


def test_without_the_library_one_line_names_the_extra(
    lenet: onnxray.Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(InputError, match=r"openTSNE is not installed: pip install 'onnxray\[features\]'"):
        TSNE(layer="ip1", library="opentsne", true_labels="folders")(lenet, str(folder))
    monkeypatch.setattr(tsne, "_MANY", 50)
    found = TSNE(layer="ip1", true_labels="folders", perplexity=5)(lenet, str(folder))
    assert any("openTSNE is faster" in note for note in found.provenance.notes)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match=r"scikit-learn, which is not installed: pip install 'onnxray\[features\]'"):
        TSNE(layer="ip1", true_labels="folders")(lenet, str(folder))


def test_of_many_pictures_opentsne_makes_the_map(
    lenet: onnxray.Model, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = pytest.importorskip("openTSNE")
    monkeypatch.setattr(tsne, "_MANY", 50)
    method = TSNE(layer="ip1", true_labels="folders", perplexity=10)
    first, second = (method(lenet, str(folder), seed=5) for _ in range(2))
    assert first.items[0].made_by == f"openTSNE {library.__version__}"
    np.testing.assert_array_equal(first.items[0].numbers_["positions"], second.items[0].numbers_["positions"])
    assert first.items[0].trustworthiness is not None
    assert first.items[0].trustworthiness > 0.9
