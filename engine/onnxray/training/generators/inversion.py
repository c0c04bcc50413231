"""A learned inversion of a layer (Dosovitskiy, Brox 2016, arXiv 1506.02753): an up-convolution network on its codes.

    min_w  mean over x of |x - f(phi(x); w)|^2,   pixels from -1 to 1, LeakyReLU of slope 0.2, Adam

Pictures are learnt from and held out as attack universal does: never one in both, whatever their order.
Normalised image error, on held-out pictures: the mean of |x - f(phi(x))| over the mean of |x - x'| of pairs of them; 1
is as far off as another picture. Beside it that of the mean of the pictures that were trained on. Adam is the paper's,
and so are the up-convolutions; how wide they are is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.as_typed import path_texts, plain_fields
from onnxray.methods.attack.picture_sets import parted
from onnxray.methods.method import Method
from onnxray.methods.option_checks import Range, check_choices
from onnxray.methods.run import Run
from onnxray.methods.synthesis.learned_inversion import CARD
from onnxray.model.model import Model
from onnxray.results.file_names import stem_of
from onnxray.results.finished_items import Tape
from onnxray.training.generators.inverted_item import InvertedItem
from onnxray.training.generators.shown import keep_network

FILE = "inverter.onnx"
_FEWEST, _SHOWN = 10, 20


@final
@dataclass(frozen=True, kw_only=True)
class TrainInverter(Method[InvertedItem]):
    """Train a network that gives pictures back from a layer's codes; an ONNX file, for invert --learned."""

    name: ClassVar[str] = "inverter-train"
    item_type: ClassVar[type[Any]] = InvertedItem

    layer: Annotated[str, "the value whose codes are inverted"] = "features"
    steps: Annotated[int, "steps of Adam", Range(1, 10_000_000)] = 2000
    batch: Annotated[int, "pictures in a step", Range(1, 10_000)] = 64
    rate: Annotated[float, "the step of Adam, which falls to 0 along a line", Range(1e-12, 10.0)] = 1e-3
    width: Annotated[int, "channels of the last level; each level before has twice as many", Range(1, 256)] = 16
    held_out: Annotated[
        str | tuple[str, ...] | None,
        "pictures that it is measured on and not trained on: a folder, may be repeated; or a share of the pictures; "
        "default: 0.1",
    ] = None

    def __post_init__(self) -> None:
        check_choices(self)

    def command(self) -> tuple[str, ...]:
        """What is typed behind ``onnxray`` for it."""
        return "generator", "inverter"

    def as_typed(self, images: object, _goal: object) -> dict[str, Any]:
        """The command's options."""
        return {"images": path_texts("the images", images), **plain_fields(self)}

    def run(self, model: Model, pixels: Pixels, _goal: Any, run: Run) -> Iterator[InvertedItem]:
        """Give an item for held-out pictures, at most twenty."""
        layer = model.select_value(self.layer)
        if len(pixels) < _FEWEST:
            raise InputError(f"{len(pixels)} pictures were given to learn from; at least {_FEWEST} are needed")
        learnt, others = parted(model, pixels, self.held_out or "0.1", "an inverter")
        (kept, codes), (held, held_codes) = (_codes(model, layer, one) for one in (learnt, others))
        seed = int(run.random.integers(2**31))
        data = self._trained(model, layer, codes, kept, seed, run)
        keep_network(data, "inverter", FILE, run)
        made = inverted(data, held_codes)
        spread = _spread(held, kept)
        average = np.broadcast_to(kept.mean(0), held.shape)
        for name, other in (("error", made), ("mean_picture", average)):
            run.tell(name, float(_distances(held, other).mean() / spread))
        run.tell("pictures", {"learnt": len(kept), "held_out": len(held)})
        again = _codes(model, layer, Pixels.of(made.astype(np.float32)))[1].reshape(len(held), -1)
        flat = held_codes.reshape(len(held), -1)
        off = np.linalg.norm(again - flat, axis=1) / np.maximum(np.linalg.norm(flat, axis=1), 1e-30)
        for row in range(min(_SHOWN, len(held))):
            name = others.names[row]
            stems = {role: stem_of(name, row, role) for role in ("original", "image")}
            yield InvertedItem(
                path=name, layer=layer, image_error=float(_distances(held[[row]], made[[row]])[0] / spread),
                code_error=float(off[row]), stems=stems, images={"original": held[row], "image": made[row]},
            )  # fmt: skip

    def _trained(
        self, model: Model, layer: str, codes: NDArray[np.float32], images: Image8, seed: int, run: Run
    ) -> bytes:
        """The inverter's file."""
        import torch

        from onnxray.graph.file.replaced_tensors import replaced_bytes
        from onnxray.training.generators.course import drawn_network
        from onnxray.training.generators.drawn import drawn_inverter
        from onnxray.training.steps import Steps

        assert model.profile is not None
        card = {"layer": layer, "model": model.graph.name, "sha256": model.graph.sha256, "made_by": self.options()}
        size = float(np.sqrt(np.mean(np.square(codes, dtype=np.float64)))) or 1.0
        proto = drawn_inverter(
            codes.shape[1:], model.profile.shape, width=self.width, random=np.random.default_rng(seed), size=size
        )
        opened, network = drawn_network(proto, CARD, json.dumps(card), left=("size",))
        steps = Steps(network, "adam", self.rate, None)
        random = np.random.default_rng(seed + 1)
        total = 0.0
        for step in range(self.steps):
            rows = random.integers(len(codes), size=min(self.batch, len(codes)))
            steps.set_rate(self.rate * (1 - step / self.steps))
            wanted = torch.from_numpy(images[rows].astype(np.float32) / 127.5 - 1)
            made = network.values({"code": torch.from_numpy(codes[rows])}, ["picture"])["picture"]
            total += steps.step((made - wanted).square().mean())
            run.progress(step + 1, self.steps, f"inverter: squared error {total / (step + 1):.4g}")
        return replaced_bytes(opened.graph.container, network.stored())

    def extra(self, tape: Tape[InvertedItem]) -> dict[str, Any]:
        """The errors over all held-out pictures, and the file."""
        names = ("error", "mean_picture", "pictures", "inverter")
        found = {name: next(iter(tape.facts(name)), None) for name in names}
        return {
            "pictures": found["pictures"],
            "normalised_image_error": found["error"], "of_the_mean_picture": found["mean_picture"],
            "inverter": found["inverter"],
        }  # fmt: skip


def _codes(model: Model, layer: str, pixels: Pixels) -> tuple[Image8, NDArray[np.float32]]:
    """The saved pictures, and their codes by the judge. Errors: InputError where a picture has none of its own."""
    images = to_uint8(pixels.array)
    codes = np.asarray(model.values(pixels.replaced(images), [layer])[layer], np.float32)
    if codes.ndim < 2 or len(codes) != len(images):
        raise InputError(f"{layer!r} has the shape {list(codes.shape)}, not one code a picture; name another layer")
    return images, codes


def inverted(data: bytes, codes: NDArray[np.float32]) -> Image8:
    """The pictures that an inverter's file gives for codes, by ONNX Runtime."""
    from onnxray.graph.reading import read_graph

    found = Model(read_graph(data), None).judge.outputs({"code": codes}, ["picture"])["picture"]
    return to_uint8(127.5 * (found + 1))


def _distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """The L2 norm of each difference."""
    return np.asarray(np.linalg.norm((a.astype(np.float64) - b.astype(np.float64)).reshape(len(a), -1), axis=1))


def _spread(held: Image8, kept: Image8) -> float:
    """The mean distance of each held-out picture to the next ones, up to ten on; of one alone, to those learnt from."""
    if len(held) == 1:
        return float(_distances(np.broadcast_to(held, kept.shape), kept).mean())
    return float(np.mean([_distances(held, np.roll(held, k, 0)).mean() for k in range(1, min(11, len(held)))]))
