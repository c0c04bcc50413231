"""Arrays and pictures to pixels, and the three geometries restated."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from onnxray.errors import ImageError, InputError
from onnxray.images.pixels import Pixels, fit, read_at_own_size, read_images, save_png
from onnxray.images.profile.profile import Profile


def profile(size: tuple[int, int] = (6, 8), channels: str = "RGB", **more: Any) -> Profile:
    count = 1 if channels == "GREY" else 3
    fields: dict[str, Any] = {"name": "t", "layout": "NCHW", "channels": channels, "scale": 1, "size": size}
    return Profile(**fields | {"mean": (10.0, 20.0, 30.0)[:count], "std": (1,) * count} | more)


def picture(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


# --- arrays


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("rank", ["NCHW", "CHW", "NHWC", "HWC"])
def test_array_at_the_models_size_is_taken_bit_for_bit(rank: str, dtype: type) -> None:
    array = picture(2, 3, 6, 8).astype(dtype)
    if dtype != np.uint8:
        array = np.clip(array + 0.3, 0, 255)
    expected = array.astype(np.float32)
    if "N" not in rank:
        array, expected = array[0], expected[:1]
    if rank.endswith("WC"):
        array = np.moveaxis(array, -3, -1)
    found = read_images(array, profile())
    assert np.array_equal(found.array, expected)
    assert found.array.dtype == np.float32
    assert not found.array.flags.writeable
    assert (found.names, found.notes, len(found)) == ((None,) * len(expected), (), len(expected))


@pytest.mark.parametrize("shape", [(6, 8), (1, 6, 8), (6, 8, 1), (1, 1, 6, 8), (1, 6, 8, 1)])
def test_grey_arrays(shape: tuple[int, ...]) -> None:
    array = picture(*shape)
    grey = read_images(array, profile(channels="GREY"))
    assert np.array_equal(grey.array, array.reshape(1, 1, 6, 8))
    assert grey.notes == ()
    colour = read_images(array, profile())
    assert np.array_equal(colour.array, np.repeat(array.reshape(1, 1, 6, 8), 3, axis=1))
    assert colour.notes == ("image 0: grey repeated in red, green and blue",)


def test_nchw_wins_where_both_could_be() -> None:
    array = picture(2, 3, 8, 3)
    assert np.array_equal(read_images(array, profile((8, 3))).array, array)


@pytest.mark.parametrize(
    "shape", [(6,), (), (2, 6, 8), (6, 8, 4), (4, 6, 8), (2, 4, 6, 8), (1, 1, 3, 6, 8), (0, 3, 6, 8), (3, 0, 8)]
)
def test_shapes_in_doubt_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=re.escape(f"image 0: is an array of shape {shape}; expected NCHW, or NHWC")):
        read_images(np.zeros(shape, np.uint8), profile())


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint16, np.int8, complex, object, "U3"])
def test_other_types_are_refused(dtype: Any) -> None:
    with pytest.raises(ImageError, match=r"image 0: is an array of .*; expected a path"):
        read_images(np.zeros((3, 6, 8), dtype), profile())


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.01, 255.01])
def test_floats_outside_the_range_are_refused(value: float) -> None:
    array = np.full((3, 6, 8), 7.5)
    array[1, 2, 3] = value
    with pytest.raises(ImageError, match=r"image 0: values from .* to .*; expected pixels in \[0, 255\], no NaN"):
        read_images(array, profile())


SHARES = "values in [0, 1]: taken as shares of 255; give pixels in [0, 255] if they are nearly black"


@pytest.mark.parametrize("size", [(6, 8), (12, 16)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_values_up_to_one_are_shares_of_255_and_remarked_on(dtype: Any, size: tuple[int, int]) -> None:
    array = np.random.default_rng(0).uniform(0, 1, (3, *size)).astype(dtype)
    ours = profile(resize="stretch")
    with pytest.warns(UserWarning, match=re.escape(f"image 0: {SHARES}")):
        found = read_images(array, ours)
    expected = read_images(array * dtype(255), ours)
    np.testing.assert_array_equal(found.array, expected.array)
    assert found.notes == (f"image 0: {SHARES}", *expected.notes)
    assert read_images(array + 1, ours).notes == expected.notes


def test_zero_and_one_alone_are_black_and_white() -> None:
    mask = np.random.default_rng(0).integers(0, 2, (3, 6, 8), dtype=np.uint8)
    for given in (mask, mask.astype(np.float32), Image.fromarray(mask.transpose(1, 2, 0))):
        found = read_images(given, profile())
        np.testing.assert_array_equal(found.array[0], mask * 255.0)
        assert found.notes == ("image 0: 0 and 1 alone: taken as black and white",)
    grey = read_images(Image.fromarray(mask[0]), profile(channels="GREY"))
    np.testing.assert_array_equal(grey.array[0, 0], mask[0] * 255.0)
    for plain in (np.zeros((3, 6, 8), np.uint8), np.ones((3, 6, 8), np.uint8), mask * np.uint8(2)):
        found = read_images(plain, profile())
        np.testing.assert_array_equal(found.array[0], plain)
        assert found.notes == ()


def test_float_pictures_up_to_one_are_shares_of_255_too(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).uniform(0, 1, (6, 8)).astype(np.float32)
    Image.fromarray(plane).save(tmp_path / "f.tif")
    found = read_images(tmp_path / "f.tif", profile(channels="GREY"))
    np.testing.assert_allclose(found.array[0, 0], plane * 255, rtol=1e-6)
    assert SHARES in found.notes[0]


@pytest.mark.parametrize("bad", [3, None, b"png", [[1, 2], [3, 4]], {"a": 1}, object()])
def test_other_objects_are_refused(bad: Any) -> None:
    with pytest.raises(ImageError, match=r"image 0: is a .*; expected a path, a PIL image, or an array|no images"):
        read_images([bad], profile())


def test_arrays_of_other_libraries() -> None:
    torch = pytest.importorskip("torch")
    array = picture(1, 3, 6, 8)
    assert np.array_equal(read_images(torch.from_numpy(array), profile()).array, array)
    with pytest.raises(ImageError, match="image 0: gives no array"):
        read_images(torch.zeros(1, 3, 6, 8, requires_grad=True), profile())


def test_nothing_is_refused() -> None:
    with pytest.raises(ImageError, match="no images given"):
        read_images([], profile())


def test_the_callers_array_stays_writable() -> None:
    array = np.zeros((1, 3, 6, 8), np.float32)
    pixels = Pixels(array, (None,))
    array[:] = 1
    with pytest.raises(ValueError, match="read-only"):
        pixels.array[:] = 2
    for bad, names in ((array.astype(np.uint8), (None,)), (array[0], (None,) * 3), (array, ())):
        with pytest.raises(ImageError, match="expected float32 of shape"):
            Pixels(bad, names)  # type: ignore[arg-type]


def test_pixels_of_an_array_have_no_names_and_blank_ones_the_profiles_shape() -> None:
    array = picture(2, 3, 6, 8)
    pixels = Pixels.of(array)
    assert (pixels.names, pixels.array.dtype, pixels.plain) == ((None, None), np.float32, False)
    np.testing.assert_array_equal(pixels.array, array)
    samples = Pixels.of(np.arange(6).reshape(2, 3), plain=True)
    assert (samples.names, samples.array.dtype, samples.plain) == ((None, None), np.int64, True)
    with pytest.raises(ImageError, match=r"shape \(3, 6, 8\)"):
        Pixels.of(array[0])
    blank = Pixels.blank(profile(), 3)
    assert blank.array.shape == (3, 3, 6, 8)
    assert (blank.array == 127.5).all()
    assert len(Pixels.blank(profile(), 0)) == 0


def test_a_sequence_of_kinds_keeps_its_order(tmp_path: Path) -> None:
    arrays = [picture(3, 6, 8), picture(2, 3, 6, 8), picture(6, 8, 3)]
    save_png(tmp_path / "a.png", arrays[0])
    found = read_images([tmp_path / "a.png", arrays[1], Image.fromarray(arrays[2])], profile())
    assert found.names == (str(tmp_path / "a.png"), None, None, None)
    expected = [arrays[0], *arrays[1], arrays[2].transpose(2, 0, 1)]
    assert np.array_equal(found.array, np.stack(expected))


# --- geometry


@pytest.mark.parametrize(
    ("width", "height", "new", "offset"),
    [
        (500, 375, (341, 256), (58, 16)),
        (375, 500, (256, 341), (16, 58)),
        (300, 300, (256, 256), (16, 16)),
        (100, 90, (284, 256), (30, 16)),
        (257, 256, (257, 256), (16, 16)),
    ],
)
def test_crop_is_torchvisions_resize_256_centre_224(width: int, height: int, new: Any, offset: Any) -> None:
    # Resize(256): the longer side is int(256 * long / short); CenterCrop(224): int(round((side - 224) / 2))
    assert max(new) == int(256 * max(width, height) / min(width, height))
    assert offset == tuple(round((side - 224) / 2) for side in new)
    image = Image.fromarray(picture(height, width, 3))
    found = read_images(image, profile((224, 224)))
    by_hand = np.asarray(image.resize(new, Image.Resampling.BILINEAR))
    left, top = offset
    assert np.array_equal(found.array[0], by_hand[top : top + 224, left : left + 224].transpose(2, 0, 1))
    assert found.notes == (f"image 0: resized {width}x{height} -> {new[0]}x{new[1]}, centre crop 224x224",)


# Of these, 51, 93 and 177 come out a hair short: int(28 / (28 / 51)) is 50.
@pytest.mark.parametrize(
    ("side", "edge"), [(28, 51), (64, 93), (112, 177), (224, 224), (224, 232), (224, 235), (224, 288)]
)
def test_every_resize_edge_can_be_written_as_a_crop_fraction(side: int, edge: int) -> None:
    image = Image.fromarray(picture(301, 401, 3))
    found = read_images(image, profile((side, side), interpolation="bicubic", crop_fraction=side / edge))
    wide = int(edge * 401 / 301)
    left, top = round((wide - side) / 2), round((edge - side) / 2)
    by_hand = np.asarray(image.resize((wide, edge), Image.Resampling.BICUBIC))[top : top + side, left : left + side]
    assert np.array_equal(found.array[0], by_hand.transpose(2, 0, 1))


def test_crop_to_a_size_that_is_not_square_covers_it() -> None:
    image = Image.fromarray(picture(100, 100))
    fitted, notes = fit(image, profile((48, 192), "GREY", crop_fraction=1.0))
    assert fitted.size == (192, 48)
    assert notes == ["resized 100x100 -> 192x192, centre crop 192x48"]
    assert np.array_equal(np.asarray(fitted), np.asarray(image.resize((192, 192), Image.Resampling.BILINEAR))[72:120])


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos", "box", "hamming"])
def test_stretch(interpolation: str) -> None:
    image = Image.fromarray(picture(30, 20, 3))
    found = read_images(image, profile(resize="stretch", interpolation=interpolation))
    by_hand = image.resize((8, 6), getattr(Image.Resampling, interpolation.upper()))
    assert np.array_equal(found.array[0], np.asarray(by_hand).transpose(2, 0, 1))
    assert found.notes == ("image 0: resized 20x30 -> 8x6",)


@pytest.mark.parametrize(
    ("shape", "inner", "corner"),
    [
        ((40, 12), (3, 10), (4, 0)),
        ((5, 50), (12, 1), (0, 4)),
        ((1, 5000), (12, 1), (0, 4)),
        ((5000, 1), (1, 10), (5, 0)),
        ((20, 24), (12, 10), (0, 0)),
    ],
)
@pytest.mark.parametrize("channels", ["RGB", "BGR", "GREY"])
def test_pad(shape: tuple[int, int], inner: Any, corner: Any, channels: str) -> None:
    image = Image.fromarray(picture(*shape) if channels == "GREY" else picture(*shape, 3))
    found = read_images(image, profile((10, 12), channels, resize="pad")).array[0]
    small = np.asarray(image.resize(inner, Image.Resampling.BILINEAR)).reshape(inner[1], inner[0], -1)
    colour = {"RGB": (10, 20, 30), "BGR": (30, 20, 10), "GREY": (10,)}[channels]
    left, top = (12 - inner[0]) // 2, (10 - inner[1]) // 2
    assert (left, top) == corner
    expected = np.tile(np.array(colour), (10, 12, 1))
    expected[top : top + inner[1], left : left + inner[0]] = small
    assert np.array_equal(found, expected.transpose(2, 0, 1))


@pytest.mark.parametrize("rule", ["stretch", "crop", "pad"])
def test_an_image_of_the_size_is_untouched_by_every_rule(rule: str) -> None:
    image = Image.fromarray(picture(6, 8, 3))
    fitted, notes = fit(image, profile(resize=rule))
    assert fitted is image
    assert notes == []


def test_floats_are_resized_as_floats_and_stay_in_range() -> None:
    array = np.zeros((3, 20, 20))
    array[:, 10:] = 254.5
    found = read_images(array, profile((33, 33), resize="stretch", interpolation="bicubic"))
    plane = Image.fromarray(array[0].astype(np.float32)).resize((33, 33), Image.Resampling.BICUBIC)
    assert np.asarray(plane).min() < 0
    assert np.array_equal(found.array[0, 2], np.clip(np.asarray(plane), 0, 255))
    padded = read_images(array + 0.25, profile((20, 30), "BGR", resize="pad", mean=(1.5, 2.5, 3.5)))
    assert np.array_equal(padded.array[0, :, 0, 0], [3.5, 2.5, 1.5])
    grey = read_images(np.full((20, 20), 7.5), profile((20, 30), resize="pad", mean=(1.5, 2.5, 3.5)))
    assert np.array_equal(grey.array[0, :, 0, 0], [1.5, 2.5, 3.5])
    assert (grey.array[0, :, :, 15] == 7.5).all()


def test_whole_floats_are_the_8_bit_image_they_are() -> None:
    array = picture(3, 50, 40)
    ours = profile(resize="stretch", interpolation="bicubic")
    assert np.array_equal(read_images(array.astype(np.float64), ours).array, read_images(array, ours).array)


def test_each_image_of_a_batch_is_read_by_itself() -> None:
    whole, broken = picture(3, 20, 20).astype(np.float64), np.full((3, 20, 20), 0.5)
    ours = profile(resize="stretch")
    with pytest.warns(UserWarning, match="image 1: values in"):
        found = read_images([whole, np.stack([broken, whole])], ours)
    assert np.array_equal(found.array[2], read_images(whole.astype(np.uint8), ours).array[0])
    remark = f"image 1: {SHARES}"
    resized = "resized 20x20 -> 8x6"
    assert found.notes == (f"image 0: {resized}", remark, f"image 1: {resized}", f"image 2: {resized}")
    with pytest.raises(ImageError, match="image 2: values from -1"):
        read_images([whole, np.stack([broken, broken - 1.5])], ours)


def test_elongated_pictures_do_not_eat_the_memory() -> None:
    with pytest.raises(ImageError, match=r"image 0: 1x60000 would be resized to 256x15360000; cut it"):
        read_images(picture(60000, 1), profile((224, 224), "GREY"))


# --- each at its own size


@pytest.mark.parametrize("channels", ["RGB", "GREY"])
def test_pictures_at_their_own_sizes_have_their_own_notes(channels: str, tmp_path: Path) -> None:
    save_png(tmp_path / "large.png", picture(3, 30, 60))
    two = picture(2, 1, 5, 4)
    found = read_at_own_size([tmp_path / "large.png", two, Image.new("L", (7, 9))], profile(channels=channels), 40)
    assert [one.array.shape[2:] for one in found] == [(20, 40), (5, 4), (5, 4), (9, 7)]
    assert [one.names for one in found] == [(str(tmp_path / "large.png"),), (None,), (None,), (None,)]
    colour = {"RGB": "grey repeated in red, green and blue", "GREY": "colour converted to grey (ITU-R 601 luma)"}[
        channels
    ]
    notes = [tuple(note.removeprefix(f"{tmp_path}/") for note in one.notes) for one in found]
    if channels == "RGB":
        said = [("large.png: resized 60x30 -> 40x20",), *((f"image {k}: {colour}",) for k in (1, 2, 3))]
    else:
        said = [(f"large.png: {colour}", "large.png: resized 60x30 -> 40x20"), (), (), ()]
    assert notes == said
    for one, array in zip(found[1:3], two):
        np.testing.assert_array_equal(one.array[0], np.repeat(array, 3 if channels == "RGB" else 1, axis=0))


def test_arrays_in_npy_files_are_pictures_by_their_paths(tmp_path: Path) -> None:
    whole = np.stack([picture(3, 6, 8), picture(3, 6, 8)])
    np.save(tmp_path / "two.npy", whole)
    np.save(tmp_path / "last.npy", whole[0].transpose(1, 2, 0))
    found = read_images([tmp_path / "two.npy", str(tmp_path / "last.npy")], profile())
    np.testing.assert_array_equal(found.array, [*whole, whole[0]])
    assert [Path(str(name)).name for name in found.names] == ["two.npy", "two.npy", "last.npy"]
    np.save(tmp_path / "flat.npy", np.zeros(5))
    with pytest.raises(ImageError, match=r"flat.npy: is an array of shape \(5,\); expected NCHW"):
        read_images(tmp_path / "flat.npy", profile())
    with pytest.raises(InputError, match="gone.npy: no such file"):
        read_images(tmp_path / "gone.npy", profile())


@pytest.mark.parametrize(
    ("array", "names"),
    [
        (np.zeros((1, 3, 2, 2), np.float64), (None,)),
        (np.zeros((1, 3, 2, 2), np.float16), (None,)),
        (np.zeros((1, 3, 2, 2), np.uint8), (None,)),
        (np.zeros((3, 2, 2), np.float32), (None,) * 3),
        (np.zeros((1, 1, 3, 2, 2), np.float32), (None,)),
        (np.zeros((2, 3, 2, 2), np.float32), (None,)),
        (np.zeros((1, 3, 2, 2), np.float32), ()),
    ],
)
def test_pixels_are_float32_images_with_a_name_each(array: Any, names: tuple[None, ...]) -> None:
    with pytest.raises(ImageError, match=r"expected float32 of shape \(N, channels, height, width\) and a name each"):
        Pixels(array, names)
    assert len(Pixels(np.zeros((2, 3, 2, 2), np.float32), (None, "a.png")).array) == 2
    assert Pixels(np.zeros((2, 5), np.int64), (None,) * 2, plain=True).array.shape == (2, 5)
