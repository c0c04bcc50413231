"""DeepDream: the step, octaves, tiles and zoom against their formulas in numpy; seams; bad input; seeds and Ctrl-C."""

import io
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

import onnxray
from onnxray.errors import InputError, OnnxrayError, ZeroGradient
from onnxray.images import pixels as pixels_file
from onnxray.images.pixels import png_bytes, read_at_own_size
from onnxray.images.profile.profile import Profile
from onnxray.images.tiles import gathered, windows
from onnxray.methods.synthesis.deepdream import DeepDream
from onnxray.methods.synthesis.item import SynthesisItem
from onnxray.methods.synthesis.parts.dream_loop import Excited, octave_sizes, zoomed
from onnxray.report.synthesis_report import sheets
from onnxray.results.journal import JOURNAL, read_journal
from onnxray.results.keeping import Keeping
from onnxray.results.result import Result
from support import models

TEXT = """
net (float[N,3,{side},{side}] x) => (float[N,2] z) {{
  a = Conv <kernel_shape = [5, 5], pads = [2, 2, 2, 2]> (x, w, b)
  r = Relu (a)
  c = Conv <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r, v)
  g = GlobalAveragePool (c)
  f = Flatten <axis = 1> (g)
  z = Gemm (f, u)
}}
"""
REACH = 3  # pixels from which c at a place reads: 2 and 1


def net(side: int = 16) -> onnxray.Model:
    weights = {
        "w": models.random(0, 6, 3, 5, 5, scale=0.1), "b": models.random(1, 6, scale=0.1),
        "v": models.random(2, 4, 6, 3, 3, scale=0.2), "u": models.random(3, 4, 2),
    }  # fmt: skip
    profile = Profile(
        name="p", layout="NCHW", channels="RGB", scale=1 / 255, mean=(0.5,) * 3, std=(1.0,) * 3, size=(side, side)
    )
    return onnxray.open(models.parse(TEXT.format(side=side), weights), profile)


def picture(height: int = 40, width: int = 40, seed: int = 0) -> np.ndarray:
    """Smooth noise, 8-bit (3, height, width)."""
    noise = np.random.default_rng(seed).standard_normal((3, height, width))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2))
    return np.uint8(np.clip(127 + 250 * smooth, 0, 255))


def gradient_of(model: onnxray.Model, value: str, x: np.ndarray) -> np.ndarray:
    """d 1/2 |value|^2 / dx, the cotangent from the judge."""
    pixels = onnxray.images.pixels.Pixels.of(np.ascontiguousarray(x))
    return model.pullback(pixels, {value: model.values(pixels, [value])[value]})


def test_windows_cover_a_side_and_mirror_a_short_one() -> None:
    for length, tile, overlap in ((16, 16, 0), (17, 16, 0), (40, 16, 0), (48, 16, 0), (40, 16, 5)):
        found = windows(length, tile, overlap)
        assert sorted({int(k) for index in found for k in index}) == list(range(length))
        assert all(len(index) == tile for index in found)
        for first, second in itertools.pairwise(found):
            assert first[-1] + 1 - second[0] >= overlap
    assert windows(3, 8)[0].tolist() == [0, 1, 2, 2, 1, 0, 0, 1]


def test_one_step_on_one_octave_is_the_formula() -> None:
    """x + step * g / mean|g|, g on the picture rolled by the shift that the seed draws, and rolled back."""
    model, x = net(), picture(16, 16).astype(np.float32)
    dreamt = DeepDream(layer="c", octaves=1, steps=1, jitter=5, step_size=2.0)(model, x[None], seed=7)
    random = np.random.default_rng(7)
    shift = tuple(int(random.integers(-5, 6)) for _ in range(2))
    g = np.roll(gradient_of(model, "c", np.roll(x, shift, (1, 2))[None])[0], (-shift[0], -shift[1]), (1, 2))
    expected = np.rint(np.clip(x + 2.0 * g / np.abs(g).mean(), 0, 255))
    found = dreamt.items[0].images["image"].astype(np.float32)
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.999
    energy = (model.values(np.roll(x, shift, (1, 2))[None], ["c"])["c"].astype(np.float64) ** 2).sum() / 2
    assert dreamt.items[0].trace["energy"] == pytest.approx((energy,), rel=1e-4)


def test_octaves_carry_their_detail_up() -> None:
    """Two octaves, a step each, without jitter: scipy's order-1 zoom of the picture and of the detail."""
    model, x = net(), picture(16, 16).astype(np.float32)
    dreamt = DeepDream(layer="c", octaves=2, octave_scale=1.6, steps=1, jitter=0)(model, x[None])

    def stepped(y: np.ndarray) -> np.ndarray:
        high, wide = y.shape[1:]
        rows, columns = windows(high, 16)[0], windows(wide, 16)[0]
        tiles = gradient_of(model, "c", y[:, rows[:, None], columns][None])[0]
        g = np.zeros_like(y)
        count = np.zeros(y.shape[1:])
        for i, r in enumerate(rows):
            for j, c in enumerate(columns):
                g[:, r, c] += tiles[:, i, j]
                count[r, c] += 1
        g = g / count
        return np.clip(y + 1.5 * g / np.abs(g).mean(), 0, 255)

    small = np.stack([ndimage.zoom(plane, 10 / 16, order=1) for plane in x])
    detail = stepped(small) - small
    carried = np.stack([ndimage.zoom(plane, 16 / 10, order=1) for plane in detail])
    expected = np.rint(stepped(x + carried))
    assert octave_sizes((16, 16), 2, 1.6) == [(16, 16), (10, 10)]
    found = dreamt.items[0].images["image"].astype(np.float32)
    assert (np.abs(found - expected) <= 1).all()
    assert (found == expected).mean() > 0.99


def test_tiled_gradient_is_the_whole_ones_away_from_the_seams() -> None:
    """A network without strides: the same weights on the whole picture, at places that no seam reaches."""
    small, large = net(24), net(48)
    x = picture(48, 48).astype(np.float32)
    whole = gradient_of(large, "c", x[None])[0]
    tiled = gathered(x, (24, 24), (0, 0), lambda tiles: gradient_of(small, "c", tiles))
    near = np.abs(np.arange(48) - 23.5) < 2 * REACH  # forward, and backward again
    inside = ~(near[:, None] | near)
    assert np.abs(tiled - whole)[:, inside].max() <= 1e-4 * np.abs(whole).max()
    assert np.abs(tiled - whole)[:, ~inside].max() > 1e-2 * np.abs(whole).max()


def test_a_rolled_gradient_is_rolled_back() -> None:
    x = picture(20, 16).astype(np.float32)
    assert np.allclose(gathered(x, (8, 8), (3, -5), lambda tiles: 2 * tiles), 2 * x)


def test_dreams_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """How much a dream changes from row to row on a grid's borders, against elsewhere; a grid that stands still shows."""
    x = np.uint8(200 + (picture(64, 64).astype(int) - 127) // 20)

    def ratios() -> list[float]:
        dreamt = DeepDream(layer="c", octaves=1, steps=30)(net(), x[None])
        change = dreamt.items[0].images["image"].astype(float) - x
        steps = (np.diff(change, axis=1) ** 2).mean((0, 2)), (np.diff(change, axis=2) ** 2).mean((0, 1))
        border = np.isin(np.arange(63), (15, 31, 47))
        return [jumps[border].mean() / jumps[~border].mean() for jumps in steps]

    assert all(0.8 < ratio < 1.25 for ratio in ratios())
    monkeypatch.setattr("onnxray.methods.synthesis.parts.dream_loop._shift", lambda *_: (0, 0))
    assert all(ratio < 0.6 for ratio in ratios())


def test_a_guide_pulls_back_its_best_matching_features() -> None:
    model, x, guide = net(), picture(16, 16).astype(np.float32), picture(16, 16, seed=5)
    maps, features = model.values(x[None], ["r"])["r"], model.values(guide[None], ["r"])["r"].reshape(6, -1)
    products = np.einsum("ci,cj->ij", maps.reshape(6, -1), features)
    wanted = features[:, products.argmax(1)].reshape(maps.shape)
    import torch

    grid = onnxray.model.layers.grid.read_space(model).grid("r")
    found, energy = Excited(model.select("r"), features, grid).cotangent(torch.from_numpy(maps))
    assert np.array_equal(found.numpy(), wanted)
    assert energy == pytest.approx(products.max(1).sum(), rel=1e-5)


def test_a_guided_dream_comes_nearer_to_the_guide(tmp_path: Path) -> None:
    path = tmp_path / "guide.png"
    path.write_bytes(png_bytes(picture(16, 16, seed=5)))
    dreamt = DeepDream(layer="r", guide=str(path), octaves=1, steps=8, jitter=0)(net(), picture(16, 16)[None])
    energies = dreamt.items[0].trace["energy"]
    assert energies[-1] > 1.05 * energies[0]


def test_zoom_is_scipys_affine_transform() -> None:
    x = picture(20, 14).astype(np.float32)
    expected = np.stack(
        [ndimage.affine_transform(p, [0.9, 0.9], [20 * 0.05, 14 * 0.05], order=1, mode="nearest") for p in x]
    )
    assert np.abs(zoomed(x, 0.1) - expected).max() < 1e-3


def test_a_zoom_gives_frames_and_a_film(tmp_path: Path) -> None:
    result = DeepDream(layer="c", octaves=1, steps=1, frames=3)(net(), picture()[None])
    assert [item.numbers_["frame"] for item in result.items] == [0, 1, 2]
    film = Image.open(io.BytesIO(sheets(result)["zoom-0.gif"]))
    assert (film.n_frames, film.size) == (3, (40, 40))
    saved = result.save(tmp_path / "run", sheets(result))
    loaded = Result.load(saved.folder, SynthesisItem)
    assert np.array_equal(loaded.items[2].images["image"], result.items[2].images["image"])


def test_pictures_keep_their_size_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    path.write_bytes(png_bytes(picture(30, 60)))
    profile = net().profile
    assert read_at_own_size([path], profile, 100)[0].array.shape == (1, 3, 30, 60)
    assert np.array_equal(read_at_own_size([path], profile, 100)[0].array[0], picture(30, 60))
    bounded = read_at_own_size([path, Image.new("RGB", (8, 8))], profile, 40)
    assert [p.array.shape[2:] for p in bounded] == [(20, 40), (8, 8)]
    result = DeepDream(layer="c", octaves=1, steps=1, size=40)(net(), path)
    assert result.items[0].images["image"].shape == (3, 20, 40)


def test_each_file_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, guide = tmp_path / "pictures", tmp_path / "guide.png"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.png").write_bytes(png_bytes(picture(30, 60, seed=ord(name))))
    guide.write_bytes(png_bytes(picture(16, 16, seed=5)))
    model, read = net(), Counter[str]()
    real = pixels_file.read_picture

    def watched(source: Path | Image.Image, label: str, *, grey: bool) -> Any:
        read[source.name if isinstance(source, Path) else "in memory"] += 1
        return real(source, label, grey=grey)

    monkeypatch.setattr(pixels_file, "read_picture", watched)
    method = DeepDream(layer="c", octaves=1, steps=1, size=40, guide=str(guide))
    result = method(model, [folder, Image.new("RGB", (9, 9), "red")])
    assert [item.images["image"].shape[1:] for item in result.items] == [(20, 40), (20, 40), (9, 9)]
    # The judge sees each of the three dreams at the model's size.
    assert read == {"a.png": 1, "b.png": 1, "guide.png": 1, "in memory": 1 + 3}
    assert [note for note in result.provenance.notes if "resized" in note] == [
        f"{folder / name}.png: resized 60x30 -> 40x20" for name in "ab"
    ]


def test_a_run_is_another_where_a_picture_is(tmp_path: Path) -> None:
    """A dream takes pictures at their own sizes alone, and a folder stands for what is in it."""
    digests = []
    for seed in (0, 0, 1):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / "a.png").write_bytes(png_bytes(picture(20, 20, seed=seed)))
        with Keeping.into(tmp_path / f"run-{len(digests)}", "deepdream") as keep:
            DeepDream(layer="c", octaves=1, steps=1)(net(), tmp_path / "pictures", keep=keep)
            journal = read_journal(keep.path / JOURNAL)
        assert journal is not None
        digests.append(journal.run["images, targets or files"])
    assert digests[0] == digests[1] != digests[2]


def test_the_same_seed_gives_the_same_bytes_and_snapshots_are_kept() -> None:
    first, again, other = (
        DeepDream(layer="c", octaves=2, steps=2, every=2)(net(), picture()[None], seed=seed) for seed in (3, 3, 4)
    )
    assert np.array_equal(first.items[0].images["image"], again.items[0].images["image"])
    assert not np.array_equal(first.items[0].images["image"], other.items[0].images["image"])
    assert sorted(first.items[0].snapshots) == [2, 4]
    assert np.array_equal(first.items[0].snapshots[4], first.items[0].images["image"])


def test_ctrl_c_keeps_the_dream_so_far_at_full_size() -> None:
    def interrupt(done: int, total: int, what: str) -> None:
        if done == 3:
            raise KeyboardInterrupt

    result = DeepDream(layer="c", octaves=3, steps=2)(net(), picture()[None], progress=interrupt, keep_partial=True)
    assert result.provenance.interrupted
    assert len(result.items[0].trace["energy"]) == 3
    assert result.items[0].images["image"].shape == (3, 40, 40)
    assert not np.array_equal(result.items[0].images["image"], picture())


def test_a_channel_alone_can_be_dreamt_of() -> None:
    model, x = net(), picture(16, 16)
    dreamt = DeepDream(layer="c:2", octaves=1, steps=6, jitter=0)(model, x[None]).items[0]
    before, after = (np.abs(model.values(y[None], ["c"])["c"][0, 2]).mean() for y in (x, dreamt.images["image"]))
    assert after > 1.5 * before
    assert dreamt.target == "1/2 |c:2|^2"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"octaves": 0}, "octaves is 0"),
        ({"layer": "c", "octaves": 9}, "take fewer octaves or a larger picture"),
        ({"layer": "c:9"}, "there is no channel 9"),
        ({"layer": "c:1,2,3"}, "a dream takes a value or NAME:CHANNEL"),
        ({"layer": ("c", "c:1")}, "named twice"),
        ({"layer": "f", "guide": "GUIDE"}, "no rows and columns"),
        ({"layer": "c:1", "guide": "GUIDE"}, "without a channel"),
        ({"layer": "c", "guide": "missing.png"}, "no such file"),
        ({"layer": "c", "guide": "NOTE"}, "no image of a known format"),
        ({"layer": "c", "guide": ""}, "the path of one picture was expected"),
    ],
)
def test_bad_input_is_refused_in_one_line(options: dict, said: str, tmp_path: Path) -> None:
    (tmp_path / "guide.png").write_bytes(png_bytes(picture(16, 16)))
    (tmp_path / "note.txt").write_text("no picture")
    guides = {"GUIDE": str(tmp_path / "guide.png"), "NOTE": str(tmp_path / "note.txt")}
    if options.get("guide") in guides:
        options = {**options, "guide": guides[options["guide"]]}
    with pytest.raises(OnnxrayError) as caught:
        DeepDream(**options)(net(), picture()[None])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_target_is_refused_and_so_is_a_layer_that_is_dead() -> None:
    with pytest.raises(InputError, match="name them with --layer"):
        DeepDream(layer="c")(net(), picture()[None], "class:1")
    weights = {
        "w": np.zeros((6, 3, 5, 5), np.float32), "b": np.zeros(6, np.float32),
        "v": models.random(2, 4, 6, 3, 3), "u": models.random(3, 4, 2),
    }  # fmt: skip
    dead = onnxray.open(models.parse(TEXT.format(side=16), weights), net().profile)
    with pytest.raises(ZeroGradient, match="nothing of 'r' answers"):
        DeepDream(layer="r", octaves=1)(dead, picture()[None])


def test_a_small_picture_on_a_fixed_size_is_mirrored() -> None:
    result = DeepDream(layer="c", octaves=1, steps=2)(net(), picture(10, 12)[None])
    assert result.items[0].images["image"].shape == (3, 10, 12)
    assert not np.array_equal(result.items[0].images["image"], picture(10, 12))


def test_the_bundled_lenet_dreams_by_default() -> None:
    import onnxray_models

    sample = next(iter(onnxray_models.samples("lenet")))
    result = DeepDream()(onnxray.open("lenet"), sample)
    assert any(note.startswith("layer ") for note in result.provenance.notes)
    first = result.items[0].trace["energy"][30:]  # the last octave, the picture's own size
    assert first[-1] > first[0]
    assert result.items[0].images["image"].shape == (1, 28, 28)
