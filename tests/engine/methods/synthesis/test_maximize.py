"""Activation maximisation: what is sought, from text to objective; all of a run on the bundled LeNet; what is refused."""

import numpy as np
import pytest

import onnxray
from onnxray.errors import InputError, NotDifferentiable, OnnxrayError
from onnxray.images.pixels import Pixels
from onnxray.images.profile.profile import Profile
from onnxray.methods.synthesis.maximize import Maximize
from onnxray.objectives.class_score import in_one_batch
from onnxray.objectives.gradients import judged
from onnxray.objectives.objective import Each
from onnxray.objectives.parts_of_values import Channels
from onnxray.objectives.style import Diversity
from onnxray.objectives.target_lists import channels_of, direction_of, one_target
from support import models

DIGITS = tuple(f"class:{digit}" for digit in range(10))


@pytest.fixture(scope="module")
def lenet():
    return onnxray.open("lenet")


@pytest.fixture
def small():
    return onnxray.open(models.lenet(), models.GREY)


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("lucid", {"steps": 60}),
        ("plain", {"steps": 60}),
        ("simonyan", {"steps": 60}),
        ("yosinski-d", {"steps": 60}),
        ("mahendran", {"steps": 100, "reference": 10.0}),
    ],
)
def test_the_maximiser_of_each_digits_logit_is_that_digit_to_the_judge(lenet, preset, options):
    result = Maximize(preset=preset, **options)(lenet, None, DIGITS)
    images = [item.images["image"] for item in result.items]
    assert [item.class_ for item in result.items] == list(range(10))
    assert lenet.predict([image[0] for image in images]).classes.tolist() == list(range(10))
    for item in result.items:
        assert item.trace["objective"][-1] > item.trace["objective"][0]
        assert item.probability > 0.8


def test_the_activation_is_the_judges_on_the_saved_picture(lenet):
    result = Maximize(steps=8)(lenet, None, ("class:3",))
    saved = Pixels.of(result.items[0].images["image"][None])
    logits = lenet.values(saved, ["logits"])
    value = next(iter(logits.values()))[0, 3]
    assert result.items[0].numbers_["activation"] == pytest.approx(float(value), rel=1e-5)


def test_targets_of_a_batch_are_those_of_each_alone(small):
    targets = [one_target(small, text) for text in ("class:2", "conv2:5", "2 * conv1:1 + -0.5 * class:0")]
    objective = in_one_batch(targets)
    assert isinstance(objective, Each)
    pixels = Pixels.of(models.pictures(3))
    alone = [judged(small, pixels.rows(slice(k, k + 1)), one)[0] for k, one in enumerate(targets)]
    np.testing.assert_allclose(judged(small, pixels, objective), alone, rtol=1e-4)
    conv1, conv2, ip2 = models.run(models.lenet(), small.feeds(pixels), ["conv1", "conv2", "ip2"])
    expected = [ip2[0, 2], conv2[1, 5].mean(), 2 * conv1[2, 1].mean() - 0.5 * ip2[2, 0]]
    np.testing.assert_allclose(alone, expected, rtol=1e-4)
    turned = judged(small, pixels, objective.rows(np.array([2, 0, 1])))
    expected = [2 * conv1[0, 1].mean() - 0.5 * ip2[0, 0], ip2[1, 2], conv2[2, 5].mean()]
    np.testing.assert_allclose(turned, expected, rtol=1e-4)
    assert objective.describe(2) == "2 * mean of conv1:1 + -0.5 * logit of class 0"


def test_channels_are_means_or_the_neuron_past_the_middle(small):
    pixels = Pixels.of(models.pictures(4))
    (conv2,) = models.run(models.lenet(), small.feeds(pixels), ["conv2"])
    rows = [3, 4, 5, 30]
    grid = channels_of(small, "conv2", "3-5,30", "mean")
    np.testing.assert_allclose(judged(small, pixels, grid), conv2[range(4), rows].mean((1, 2)), rtol=1e-5)
    neurons = channels_of(small, "conv2", "3-5,30", "centre")
    assert conv2.shape[2:] == (6, 6)
    np.testing.assert_allclose(judged(small, pixels, neurons), conv2[range(4), rows, 3, 3], rtol=1e-5)
    one = one_target(small, "conv2:5", where="centre")
    np.testing.assert_allclose(judged(small, pixels.rows(slice(0, 1)), one), conv2[:1, 5, 3, 3], rtol=1e-5)


@pytest.mark.parametrize("measure", ["dot", "cosine"])
def test_directions_of_channels_and_of_whole_values(small, tmp_path, measure):
    pixels = Pixels.of(models.pictures(2))
    conv2, ip1 = models.run(models.lenet(), small.feeds(pixels), ["conv2", "ip1"])
    for name, value in (("conv2", conv2.reshape(2, 32, -1)), ("ip1", ip1[..., None])):
        v = models.random(7, value.shape[1])
        np.save(tmp_path / "v.npy", v)
        found = judged(small, pixels, direction_of(small, f"{tmp_path / 'v.npy'}@{name}", measure))
        dots = np.einsum("ncp,c->np", value, v)
        if measure == "cosine":
            dots /= np.linalg.norm(value, axis=1) * np.linalg.norm(v)
        np.testing.assert_allclose(found, dots.mean(1), rtol=1e-4)


def test_diversity_is_the_sum_of_gram_cosines_within_a_group(small):
    pixels = Pixels.of(models.pictures(5))
    (conv2,) = models.run(models.lenet(), small.feeds(pixels), ["conv2"])
    groups = np.array([0, 0, 0, 1, 1])
    grams = [a.reshape(32, -1) @ a.reshape(32, -1).T for a in conv2]
    grams = [g / np.linalg.norm(g) for g in grams]
    expected = [
        sum((grams[i] * grams[j]).sum() for j in range(5) if j != i and groups[i] == groups[j]) for i in range(5)
    ]
    np.testing.assert_allclose(judged(small, pixels, Diversity("conv2", groups)), expected, rtol=1e-4)


def test_styles_are_compared_where_there_are_positions(small):
    pixels = Pixels.of(models.pictures(2))
    with pytest.raises(InputError, match="channels and positions"):
        judged(small, pixels, Diversity("ip1", np.array([0, 0])))


def test_several_rows_a_sample_are_averaged_over():
    windows = models.random(2, 6, 4, 3, 3)  # three a sample
    found = Channels("v", np.array([3, 1])).score({"v": windows}, slice(0, 2))
    np.testing.assert_allclose(found, [windows[:3, 3].mean(), windows[3:, 1].mean()], rtol=1e-5)


def test_diversity_makes_samples_differ(small):
    def likeness(diversity):
        result = Maximize(steps=20, samples=2, diversity=diversity)(small, None, ("conv2:3",))
        images = np.stack([item.images["image"] for item in result.items]).astype(np.float32)
        pixels = Pixels.of(images)
        return judged(small, pixels, Diversity("conv2", np.array([0, 0])))[0]

    assert likeness(100.0) < likeness(0.0)


def test_a_grid_has_an_image_a_channel_and_chunks_do_not_mix(small):
    options = {"steps": 3, "preset": "simonyan", "layer": "conv2", "channels": "0-4"}
    whole = Maximize(**options)(small)
    parts = Maximize(**options, together=2)(small, None)
    assert [item.target for item in whole.items] == [f"mean of conv2:{k}" for k in range(5)]
    for one, other in zip(whole.items, parts.items):
        difference = one.images["image"].astype(int) - other.images["image"].astype(int)
        assert np.abs(difference).max() <= 1
        assert one.target == other.target
    assert len({item.images["image"].tobytes() for item in whole.items}) == 5


def test_the_same_seed_gives_the_same_bytes(small):
    def images(seed):
        return [i.images["image"].tobytes() for i in Maximize(steps=3)(small, None, ("1", "conv1:2"), seed=seed).items]

    assert images(1) == images(1)
    assert images(1) != images(2)


def test_mahendrans_target_is_divided_by_its_largest_value_on_the_images(small):
    photographs = list(models.pictures(4)[:, 0].round().astype(np.uint8))
    values = judged(small, small.pixels(photographs), channels_of(small, "relu2", "4,4,4,4", "mean"))
    found = [
        Maximize(preset="mahendran", steps=3, reference=reference)(small, images, ("relu2:4",)).items[0]
        for reference, images in ((None, photographs), (float(values.max()), None))
    ]
    np.testing.assert_allclose(found[0].trace["objective"], found[1].trace["objective"], rtol=1e-4)


@pytest.mark.parametrize(
    ("options", "target", "said"),
    [
        ({}, None, "no target was given"),
        ({}, "conv2:32", "there is no channel 32"),
        ({"layer": "conv2", "channels": "30-40"}, None, "there is no channel 40"),
        ({"layer": "conv2", "channels": "5-3"}, None, "is no range"),
        ({"layer": "conv2", "channels": "a"}, None, "is no range"),
        ({"layer": "conv2"}, None, "belong together"),
        ({"layer": "ip1", "channels": "0", "at": "centre"}, None, "no centre"),
        ({}, "2 * 1 + 3", "every term of a sum needs a weight"),
        ({"direction": ("v.npy",)}, None, "FILE.npy@NAME was expected"),
        ({"direction": ("nothere.npy@conv2",)}, None, "holds no array that can be read"),
        ({"samples": 2, "diversity": 1.0}, "1", "--diversity-layer"),
        ({"preset": "mahendran"}, "1", "give some, or --reference"),
        ({"preset": "dgn-am"}, "1", "--generator FILE"),
    ],
)
def test_what_cannot_be_climbed_is_refused_in_one_line(small, options, target, said):
    with pytest.raises(OnnxrayError, match=said) as caught:
        Maximize(**options)(small, None, target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "steps is 0"),
        ({"steps": 2.0}, "steps is 2.0"),
        ({"samples": 0}, "samples is 0"),
        ({"diversity": 1.0}, "two or more"),
        ({"preset": "none"}, "preset is 'none'"),
        ({"code_least": 1.0, "code_most": 0.0}, "less was expected"),
        ({"rate": -1.0}, "rate is -1.0"),
    ],
)
def test_options_out_of_range_are_refused(options, said):
    with pytest.raises(InputError, match=said):
        Maximize(**options)


def test_a_direction_of_another_length_is_refused(small, tmp_path):
    np.save(tmp_path / "v.npy", np.ones(31, np.float32))
    with pytest.raises(InputError, match=r"v\.npy has 31 numbers"):
        Maximize(direction=(f"{tmp_path / 'v.npy'}@conv2",))(small, None)
    np.save(tmp_path / "v.npy", np.zeros(32, np.float32))
    with pytest.raises(InputError, match="zero or not finite"):
        Maximize(direction=(f"{tmp_path / 'v.npy'}@conv2",))(small, None)


def test_images_are_for_mahendran_alone(small):
    with pytest.raises(InputError, match="begins from none"):
        Maximize(steps=1)(small, [models.pictures(1)[0, 0].astype(np.uint8)], "1")


def test_a_target_that_does_not_depend_on_the_input_is_refused():
    text = "free (float[N,1,6,6] x) => (float[N,36] y, float[1,4] k) { y = Flatten (x)\n k = Identity (c) }"
    grey = Profile(name="grey", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(6, 6))
    model = onnxray.open(models.parse(text, {"c": np.ones((1, 4), np.float32)}), grey)
    with pytest.raises(NotDifferentiable, match="does not depend on the input"):
        Maximize(steps=1)(model, None, "k[2]")


def test_a_network_that_refuses_the_size_says_so_in_one_line():
    profile = Profile(name="grey", layout="NCHW", channels="GREY", scale=1, mean=(0,), std=(1,), size=(20, 20))
    with pytest.raises(OnnxrayError) as caught:
        Maximize(steps=1)(onnxray.open(models.lenet(), profile), None, "value:conv1:0")
    assert "\n" not in str(caught.value)
