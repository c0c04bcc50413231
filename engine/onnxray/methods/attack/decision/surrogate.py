"""Transfer from a surrogate (Papernot et al. 2017, arXiv 1602.02697): a network that learned this model's own answers.

    surrogate = argmin sum_x CE(model(x), surrogate(x)),   x the pictures of a folder and altered copies of them

Only the judge is asked, of labels or probabilities (of files that give labels alone, these), of each picture and each
copy once, which is told as ``training_passes``, the same for all items. Copies are altered at random in place of the
paper's, which follow the surrogate's Jacobian: moved by a tenth of the picture at most, with 0.7 to 1.3 of the contrast
and noise N(0, 10^2). A fifth of the pictures is held out; ``agreement`` is the share of them that both give the same
class. The attack on the surrogate, and what is said of it: elsewhere.py; the network: surrogate_training.py. What is
drawn for it is seeded with the folder's pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, ClassVar, Literal, final
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from onnxray.arrays import Image8
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.images.eight_bits import to_uint8
from onnxray.images.pixels import Pixels
from onnxray.methods.attack.base import Attacked, generators_of
from onnxray.methods.attack.decision.elsewhere import FromElsewhere, OtherModel
from onnxray.methods.attack.success import OtherClass, OtherLabel, labels_of
from onnxray.methods.option_checks import Range
from onnxray.model.model import Model
from onnxray.model.opening import open_model

_FEWEST = 10
_HELD_OUT = 5
"""One picture of so many is held out."""
_MOVED, _CONTRAST, _NOISE = 0.1, (0.7, 1.3), 10.0


@final
@dataclass(frozen=True, kw_only=True)
class Surrogate(FromElsewhere):
    """Transfer from a surrogate: a small network trained on the model's own answers; the judge alone is asked."""

    name: ClassVar[str] = "surrogate"
    needs_gradients: ClassVar[bool] = False

    train: Annotated[
        str | tuple[str, ...] | None, "pictures, or folders of them, that the model is asked about; needed, repeatable"
    ] = None
    answers: Annotated[
        Literal["probabilities", "labels"], "what is learned of an answer: all probabilities, or the winning class"
    ] = "probabilities"
    copies: Annotated[int, "altered copies of each picture", Range(0, 10_000)] = 20
    epochs: Annotated[int, "how often each picture is gone through", Range(1, 100_000)] = 20
    width: Annotated[int, "channels of the first layer", Range(1, 128)] = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.train:
            raise InputError("surrogate was given no pictures to learn from; state them: --train FOLDER")

    def elsewhere(self, attacked: Attacked) -> OtherModel:
        """The surrogate of the model, trained when it is first asked for. Errors: InputError."""
        model = attacked.oracle.variable.model
        if model not in self._trained:
            criterion = attacked.oracle.criterion
            if not isinstance(criterion, OtherClass | OtherLabel) or model.profile is None:
                raise InputError(
                    f"surrogate learns classes of pictures, and {criterion.describe(0)!r} is asked of this model; take "
                    "an attack that asks the judge: square, hopskipjump"
                )
            self._trained[model] = self._made(model, attacked)
        return self._trained[model]

    @cached_property
    def _trained(self) -> WeakKeyDictionary[Model, OtherModel]:
        """Of each model that was attacked, once."""
        return WeakKeyDictionary()

    def _made(self, model: Model, attacked: Attacked) -> OtherModel:
        from onnxray.methods.attack.decision.surrogate_training import profile_of, trained

        assert model.profile is not None
        given = to_uint8(model.pixels([self.train] if isinstance(self.train, str) else list(self.train or ())).array)
        if len(given) < _FEWEST:
            raise InputError(f"{len(given)} pictures to learn from were given (--train); at least {_FEWEST} are needed")
        (random,) = generators_of(given[None], 0)
        order = random.permutation(len(given))
        held, kept = given[order[: len(given) // _HELD_OUT]], given[order[len(given) // _HELD_OUT :]]
        images = np.concatenate([kept, *(altered(kept, random) for _ in range(self.copies))])
        labels, answers = self._answers(model, images, attacked)
        proto = trained(
            images, answers, width=self.width, epochs=self.epochs, random=random, progress=attacked.tell
        )  # fmt: skip
        surrogate = open_model(proto, profile_of(model.profile.shape), output="logits=logits", labels="none")
        if labels is None:
            same = surrogate.classify(held) == model.classify(held)
        else:
            own = labels_of(model, Pixels.of(held.astype(np.float32)))
            same = np.array([labels[k] == one for k, one in zip(surrogate.classify(held).tolist(), own)])
        told = {
            "training_pictures": len(kept), "training_passes": len(images) + len(held), "held_out": len(held),
            "agreement": float(same.mean()),
        }  # fmt: skip
        return OtherModel(model=surrogate, name="the surrogate", told=told, labels=labels)

    def _answers(
        self, model: Model, images: Image8, attacked: Attacked
    ) -> tuple[tuple[str, ...] | None, NDArray[np.float64]]:
        """What is learned: (n, classes) probabilities; which labels they are of where the file gives no classes."""
        pixels = Pixels.of(images.astype(np.float32))
        if isinstance(attacked.oracle.criterion, OtherLabel):
            said = labels_of(model, pixels)
            labels = tuple(sorted(set(said)))
            if len(labels) < 2:
                raise InputError(
                    f"all {len(said)} pictures to learn from (--train, with altered copies) have the label "
                    f"{short(labels[0])}; give pictures of others as well"
                )
            return labels, np.eye(len(labels))[[labels.index(one) for one in said]]
        classes = model.predict_classes(pixels)
        answers = classes.probabilities / np.maximum(classes.probabilities.sum(1, keepdims=True), 1e-30)
        return None, np.eye(answers.shape[1])[classes.classes] if self.answers == "labels" else answers


def altered(images: Image8, random: np.random.Generator) -> Image8:
    """A copy of each of (n, C, H, W): its edge repeated where it was moved away from."""
    reach = [max(1, round(_MOVED * side)) for side in images.shape[2:]]
    padded = np.pad(images.astype(np.float32), ((0, 0), (0, 0), *((one, one) for one in reach)), mode="edge")
    places: NDArray[np.int64] = np.stack([random.integers(0, 2 * one + 1, len(images)) for one in reach], axis=1)
    height, width = images.shape[2:]
    moved = np.stack([
        one[:, top : top + height, left : left + width] for one, (top, left) in zip(padded, places.tolist())
    ])  # fmt: skip
    contrast = random.uniform(*_CONTRAST, (len(images), 1, 1, 1))
    middle = moved.mean((1, 2, 3), keepdims=True)
    return to_uint8((moved - middle) * contrast + middle + _NOISE * random.standard_normal(moved.shape))
