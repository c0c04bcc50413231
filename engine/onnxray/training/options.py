"""The options of a hardening, and what they mean of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from onnxray.assess.robustness.evaluation import RobustnessEvaluation
from onnxray.errors import InputError, NotAClassifier
from onnxray.errors.short_values import short
from onnxray.graph.facts import Graph
from onnxray.graph.outputs.facts import CLASS_KINDS, OutputFacts, dims_of
from onnxray.graph.trainable.listing import Constant, chosen, constants_of
from onnxray.graph.weight_layers import weight_layers
from onnxray.methods.option_checks import Range, check_choices
from onnxray.model.model import Model

HELD: Final = 2**30
"""Bytes of pixels that are held; more are read from their files in each epoch."""
KINDS: Final = ("fgsm", "fast", "pgd", "hot-cold", "lots", "feature")


@dataclass(frozen=True, kw_only=True)
class HardeningOptions:
    """How a classifier is hardened."""

    attacks: Annotated[
        str,
        "what pictures are perturbed by: fgsm, fast, pgd, hot-cold, lots, feature, one drawn for each batch; or none",
    ] = "pgd"  # fmt: skip
    eps: Annotated[float, "the budget of a perturbation, L_inf in grey levels", Range(1e-3, 255.0)] = 8.0
    steps: Annotated[int, "steps of a perturbation that takes several", Range(1, 1000)] = 7
    loss: Annotated[
        Literal["adversarial", "trades", "virtual"],
        "cross-entropy of perturbed pictures; TRADES; or virtual adversarial training, which takes unlabelled ones",
    ] = "adversarial"
    clean: Annotated[float, "the share of clean pictures in the adversarial loss", Range(0.0, 1.0)] = 0.0
    beta: Annotated[float, "the weight of the divergence in TRADES", Range(0.0, 1e6)] = 6.0
    unlabelled: Annotated[
        str | tuple[str, ...] | None,
        "pictures without labels, or folders of them, whose divergence virtual takes; repeatable",
    ] = None
    weight: Annotated[float, "the weight of the divergence in virtual adversarial training", Range(0.0, 1e6)] = 1.0
    radius: Annotated[float, "the length of its perturbation, L2 in grey levels", Range(1e-6, 1e6)] = 510.0
    xi: Annotated[float, "the length at which its direction is looked for, in grey levels", Range(1e-9, 1e6)] = 2.55

    epochs: Annotated[
        int, "how often the pictures are gone through; of labelled and unlabelled ones those that are more",
        Range(1, 100_000),
    ] = 10  # fmt: skip
    batch: Annotated[int, "pictures in a step", Range(1, 100_000)] = 64
    optimizer: Annotated[Literal["adam", "adamw", "sgd"], "torch's; sgd with a momentum of 0.9"] = "adam"
    rate: Annotated[float, "the largest step of the optimiser", Range(1e-12, 1e3)] = 1e-4
    schedule: Annotated[
        Literal["constant", "linear", "cosine", "one-cycle"],
        "how the rate goes: along a line or half a cosine to nothing, or up first (one-cycle)",
    ] = "linear"
    clip: Annotated[float | None, "the largest norm of a step's gradient; any where left out", Range(1e-12)] = None
    warm_up: Annotated[float, "the share of the epochs over which the budget grows", Range(0.0, 1.0)] = 0.3
    distort: Annotated[
        float, "how much pictures are turned, scaled, moved and warped, anew in each epoch; 1: as for LeNet's digits",
        Range(0.0, 3.0),
    ] = 0.0  # fmt: skip
    flip: Annotated[bool, "mirror every second picture"] = False
    dropout: Annotated[bool, "let the file's Dropout nodes draw while it is trained"] = False
    bn: Annotated[
        Literal["frozen", "recalibrate"],
        "statistics of batch normalisation: the file's own, or measured anew on clean pictures at the end",
    ] = "frozen"

    train: Annotated[
        str | tuple[str, ...] | None, "constants that are trained in place of all, by name or pattern; repeatable"
    ] = None
    freeze: Annotated[
        str | tuple[str, ...] | None, "constants that are left as they are, by name or pattern; repeatable"
    ] = None

    held_out: Annotated[float, "the share of the pictures that is held out and judged", Range(0.01, 0.9)] = 0.1
    best_by: Annotated[
        Literal["robust", "clean", "last"] | None,
        "which epoch is written: of the highest robust or clean accuracy, or the last; where left out, by robust, of "
        "plain fine-tuning by clean accuracy",
    ] = None
    max_drop: Annotated[float, "how far clean accuracy may fall before the training ends", Range(0.0, 1.0)] = 0.05
    evaluate: Annotated[int, "held-out pictures that are attacked before and after; 0: none", Range(0, 100_000)] = 50
    evaluate_attacks: Annotated[
        str | None, "attacks of that evaluation by name, with commas; as attack evaluate has them where left out"
    ] = None
    in_place: Annotated[bool, "replace the model's own file, in place of writing one into the run's folder"] = False

    def __post_init__(self) -> None:
        check_choices(self)
        unknown = [name for name in self.named if name not in KINDS]
        if unknown or not (self.named or self.attacks.strip() == "none"):
            wrong = unknown[0] if unknown else self.attacks
            raise InputError(
                f"attacks has {short(wrong)}; of {', '.join(KINDS)} some were expected, with commas, or none"
            )
        if self.unlabelled and self.loss != "virtual":
            raise InputError("pictures without labels are taken by virtual adversarial training alone: --loss virtual")

    @property
    def named(self) -> tuple[str, ...]:
        """The perturbations; none for plain fine-tuning."""
        parts = tuple(part.strip() for part in self.attacks.split(",") if part.strip())
        return () if parts == ("none",) else parts

    def attacked(self) -> RobustnessEvaluation:
        """How the file is attacked before and after: at the budget, a half and a quarter of it."""
        budgets = ",".join(f"{self.eps / k:g}" for k in (4, 2, 1))
        return RobustnessEvaluation(eps=budgets, attacks=self.evaluate_attacks, trust_images=0)

    def constants(self, model: Model) -> tuple[Constant, ...]:
        """What is trained of a model. Errors: InputError where nothing can be."""
        texts = [
            None if one is None else [one] if isinstance(one, str) else list(one) for one in (self.train, self.freeze)
        ]
        return chosen(constants_of(model.graph, [self.logits(model)]), texts[0], texts[1] or ())

    def logits(self, model: Model) -> str:
        """The value that the loss is of. Errors: NotAClassifier where it is not one score a class."""
        head = model.head
        if head.kind not in CLASS_KINDS or head.kind == "multi-label":
            raise NotAClassifier(
                f"output {head.name!r} {_refused(model.graph, head)}. Of others onnxray.training.fine_tune takes any "
                "loss"
            )
        return model.aliases["logits"]

    def layers(self, graph: Graph, logits: str) -> tuple[str, ...]:
        """Those that LOTS and feature adversaries are drawn from: layers with weights up to the logits."""
        needed = {name for node in graph.needed_for([logits]) for name in node.outputs}
        found = [name for name in weight_layers(graph) if name in needed and name in graph.depends_on_input]
        return tuple(name for name in found if name not in graph.dequantised) or (logits,)


def _refused(graph: Graph, head: OutputFacts) -> str:
    """Why an output is not trained."""
    dims = dims_of(graph, head.name)
    if dims is not None and len(dims) == 1 and dims[0] != 1 and not head.stated:
        return f"is of shape {list(dims)}, without an axis of samples; harden trains classifiers of shape (N, classes)"
    if head.kind == "multi-label":
        return (
            f"is {head.said()}: the one label of a picture does not say which other classes it has; harden trains "
            "classifiers of one class a picture"
        )
    return f"is {head.said()}; harden trains classifiers of one score a class"
