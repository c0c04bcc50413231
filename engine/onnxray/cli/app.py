"""The commands, joined."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast, final

import typer

from onnxray._version import __version__
from onnxray.cli.lazy_group import Command, Family, GroupWithDefault, Joined, LazyGroup, Listed, listed
from onnxray.cli.usage.refusals import WrongUsage, refuse_usage

_SALIENCY = "saliency", "onnxray.methods.saliency.base:Saliency"
_SYNTHESIS = "synthesis", "onnxray.methods.synthesis.base:Synthesis"
_ATTACK = "attack", "onnxray.methods.attack.base:Attack"
_FOOLING = "fooling", "onnxray.methods.fooling.base:Fooling"
"""A family's folder, and its class."""

_COMMANDS = {
    "inspect": (
        "onnxray.cli.commands.inspect:inspect",
        "Show a model's inputs, outputs, layers and values, opsets, producer, batch, and the profile in force.",
    ),
    "verify": (
        "onnxray.cli.commands.verify:verify",
        "Compare the torch twin with ONNX Runtime at every value; name the first node at fault. Status 1 if one is.",
    ),
    "classify": (
        "onnxray.cli.commands.classify:classify",
        "Say what the file itself says of images, by ONNX Runtime: classes, or what else its output is.",
    ),
    "values": (
        "onnxray.cli.commands.values:values",
        "Write named values of images to values.npz, one array a value, images along its first axis.",
    ),
    "lots": (
        "onnxray.cli.commands.lots:lots",
        "LOTS (Rozsa, Guenther, Boult 2016): change an image so that a layer sees another in it.",
    ),
    "invert": (
        "onnxray.cli.commands.invert:invert",
        "Pre-images (Mahendran, Vedaldi 2015): what a layer has kept of an image.",
    ),
    "tcav": (
        "onnxray.cli.commands.tcav:tcav",
        "TCAV (Kim et al. 2018): how many images of a class score higher the more a layer sees of a concept.",
    ),
    "compare": (
        "onnxray.cli.commands.compare:compare",
        "Compare models on the same pictures: what they say, their values layer by layer, and their maps.",
    ),
    "apply": (
        "onnxray.cli.commands.apply:apply",
        "Turn pictures into what an image-to-image network makes of them, by ONNX Runtime.",
    ),
    "convert": (
        "onnxray.cli.commands.files.convert:convert",
        "Write a model of another framework's files as an ONNX file, checked, run, and compared with the framework.",
    ),
    "diff": (
        "onnxray.cli.commands.files.diff:diff",
        "Say which tensors, nodes, attributes and metadata differ between two files. Status 4 where the graph does.",
    ),
    "harden": (
        "onnxray.cli.commands.files.harden:harden",
        "Train the file on perturbed pictures so that it withstands them; the same graph is written, with other "
        "weights.",
    ),
    "rerun": (
        "onnxray.cli.rerun.rerun:rerun",
        "Do a run again from what its result.json says, and compare every number and every file. Status 1 if one "
        "differs.",
    ),
    "explore": (
        "onnxray.web.explore:explore",
        "Look into a model on a page in the browser: graph, values, maps, LOTS and attacks under the mouse.",
    ),
    "demo": (
        "onnxray.cli.commands.demo:demo",
        "Run LOTS on the bundled LeNet and its 100 digits: x-, x+, a 4 turned into a 9, and how stable each layer is.",
    ),
}
"""Name -> where the command is, and the first paragraph of its docstring, which the list shows without importing it."""

_MAP_COMMANDS = {
    "layers": (
        "onnxray.cli.commands.saliency_layers:layers",
        "List the layers with rows and columns that all which the target sees passes through; the default is marked.",
    ),
    "compare": (
        "onnxray.cli.commands.saliency_compare:compare",
        "All maps of several methods over the images on one sheet, with insertion and deletion areas, pointing, "
        "seconds.",
    ),
}
"""The same, of the commands beside the methods."""

_ATTACK_COMMANDS = {
    "evaluate": (
        "onnxray.cli.commands.attack.evaluate:evaluate",
        "Robust accuracy on a folder of pictures: each image's smallest perturbation over several attacks.",
    ),
    "universal": (
        "onnxray.cli.commands.attack.universal:universal",
        "A universal perturbation: one that, added to any picture, makes the file say something else.",
    ),
    "patch": (
        "onnxray.cli.commands.attack.patch:patch",
        "An adversarial patch: a square or a disc that, laid anywhere on a picture, makes the file say something else.",
    ),
}

_FEATURE_COMMANDS = {
    "extract": (
        "onnxray.cli.commands.features.extract:extract",
        "Write named values of folders of pictures to one file, with names, sha256, labels and predictions.",
    ),
    "neighbors": (
        "onnxray.cli.commands.features.neighbors:neighbors",
        "Nearest neighbours of pictures in a layer's space, beside those in pixel space.",
    ),
    "tsne": (
        "onnxray.cli.commands.features.tsne:tsne",
        "Maps of pictures in layers' spaces (t-SNE), with what tells whether a map can be believed.",
    ),
    "probe": (
        "onnxray.cli.commands.features.probe:probe",
        "How well labels of your own can be told from layers (linear and k-nearest probes), the best as a file.",
    ),
    "patches": (
        "onnxray.cli.commands.features.patches:patches",
        "What channels look for: the parts of pictures that activate them most, and what of them counts.",
    ),
    "units": (
        "onnxray.cli.commands.features.units:units",
        "How active each channel of a layer is over many pictures, how selective, and which of them are alike.",
    ),
    "invariance": (
        "onnxray.cli.commands.features.invariance:invariance",
        "How much a layer's code moves with rotation, scale, light, blur and the like, and whether it follows them.",
    ),
    "compare": (
        "onnxray.cli.commands.features.compare:compare",
        "How alike the layers of two models arrange the same pictures (CKA), and the layer where the models part.",
    ),
}

_GENERATOR_COMMANDS = {
    "train": (
        "onnxray.cli.commands.generator.train:train",
        "Train a generator whose pictures a model takes for each of its classes, or that excite a layer's channels.",
    ),
    "render": (
        "onnxray.cli.commands.generator.render:render",
        "Show the pictures of a generator, and what the model says of each.",
    ),
    "fool": (
        "onnxray.cli.commands.generator.fool:fool",
        "Add a generator's pictures to others, and count how many the model then takes for something else.",
    ),
    "inverter": (
        "onnxray.cli.commands.generator.inverter:inverter",
        "Train a network that gives pictures back from a layer's codes (Dosovitskiy, Brox 2016).",
    ),
}

_AUDIT_COMMANDS = {
    "run": (
        "onnxray.cli.commands.audit.run:run",
        "Audit models on pictures by a policy: files, accuracy, robustness and more. Status 3 where it is not met.",
    ),
    "init": (
        "onnxray.cli.commands.audit.init:init",
        "Write a commented policy whose limits are what a first audit reached, to be read and set.",
    ),
    "explain": (
        "onnxray.cli.commands.audit.explain:explain",
        "Say what a check of the audit measures, by which formula, and which options it has.",
    ),
    "compare": (
        "onnxray.cli.commands.audit.compare:compare",
        "Tell what changed between two audits: models, states, figures. Status 0, whatever changed.",
    ),
}
"""Those of the audit, of which ``run`` needs no name."""

_HELP = {
    "generator": "One network that shows what every class of another looks for, and fools it with that.\n\n"
    "Examples: onnxray generator train lenet -o shown; onnxray generator fool --help",
    "features": "The feature space of a model, over folders of pictures: values, neighbours, what channels look for, "
    "what layers ignore.\n\n"
    "Examples: onnxray features neighbors net.onnx photos/; onnxray features patches --help",
    "audit": "Audit models on pictures by a policy: files, accuracy, robustness and more. Status 3 where it "
    "is not met.\n\nExamples: onnxray audit net.onnx --images photos/ --labels labels.csv; onnxray audit init; "
    "onnxray audit explain accuracy",
    "saliency": "Maps of what a score depends on, by the methods of the literature, on any exported model.\n\n"
    "Examples: onnxray saliency grad-cam net.onnx photo.jpg; onnxray saliency grad-cam --help",
    "visualize": "Images made to order: what a class, a channel or a neuron looks for, dreams, textures, filters.\n\n"
    "Examples: onnxray visualize maximize net.onnx --target goldfish; onnxray visualize maximize --help",
    "attack": "Perturb images until the file says something else of them, judged on the 8-bit pictures it saves."
    "\n\nExamples: onnxray attack pgd net.onnx photo.jpg --eps 4; onnxray attack ddn net.onnx photos/; "
    "onnxray attack pgd --help",
    "check": "Put a method to the test on images: insertion and deletion curves with their areas (Petsiuk 2018), the "
    "pointing game where a box is given, stability under noise (Yeh 2019), and the rank correlation with the maps of "
    "the network whose weights were drawn anew, layer by layer from the output down (Adebayo 2018).\n\n"
    "Example: onnxray saliency check grad-cam net.onnx photos/",
}


def _group(name: str, listing: Mapping[str, Listed], panel: str = "Commands") -> Listed:
    def load() -> LazyGroup:
        return LazyGroup(name=name, help=_HELP[name], listing=listing)

    return Listed(name, _HELP[name], load, panel)


def _listing() -> dict[str, Listed]:
    """Every command below ``onnxray``."""
    beside = listed(_MAP_COMMANDS, "Beside the methods")
    checks = Family(
        *_SALIENCY, "onnxray.cli.commands.saliency_check:command_of",
        line=lambda name, _: f"Whether the maps of {name} can be believed.",
    )  # fmt: skip
    check = _group("check", checks, "Beside the methods")
    maps = Family(*_SALIENCY, "onnxray.cli.commands.saliency:command_of")
    saliency = Joined(maps, {**beside, "check": check})
    # What is inverted has data arguments of its own, and is a command beside these.
    pictures = Family(*_SYNTHESIS, "onnxray.cli.commands.visualize:command_of", without=frozenset({"invert"}))
    attacks = Joined(
        # What is made of many pictures is no attack on one, and its command stands beside these.
        Family(*_ATTACK, "onnxray.cli.commands.attack.method:command_of", without=frozenset({"universal", "patch"})),
        Family(*_FOOLING, "onnxray.cli.commands.attack.fooling:command_of"),
        listed(_ATTACK_COMMANDS, "Beside the methods"),
    )
    return {
        **listed(_COMMANDS), "audit": Listed("audit", _HELP["audit"], _audits), "attack": _group("attack", attacks),
        "saliency": _group("saliency", saliency), "visualize": _group("visualize", pictures),
        "features": _group("features", listed(_FEATURE_COMMANDS)),
        "generator": _group("generator", listed(_GENERATOR_COMMANDS)),
    }  # fmt: skip


def _audits() -> LazyGroup:
    return GroupWithDefault(name="audit", help=_HELP["audit"], listing=listed(_AUDIT_COMMANDS), default="run")


@final
class Commands(LazyGroup):
    """All commands."""

    def __init__(self, **options: Any) -> None:
        super().__init__(listing=_listing(), **options)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the options of the program itself, of which --install-completion writes files."""
        try:
            return super().make_context(*args, **options)
        except (OSError, UnicodeDecodeError) as error:
            raise WrongUsage(f"completion cannot be installed: {error}; see --show-completion") from None

    def invoke(self, ctx: Any) -> Any:
        """Import a command, read its options, run it; Ctrl-C before it runs is one line, as in the command itself."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print("onnxray: interrupted", file=sys.stderr)
            raise typer.Exit(130) from None

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program, and end it with its exit status; wrong usage is one line and status 2."""
        try:
            sys.exit(super().main(*args, **{**options, "standalone_mode": False}) or 0)
        except typer.TyperException as error:
            typed = args[0] if args else options.get("args")
            sys.exit(refuse_usage(error, sys.argv[1:] if typed is None else typed))


app = typer.Typer(
    name="onnxray",
    cls=Commands,
    help="Open any exported ONNX model, get trustworthy gradients at every named value of it, and run LOTS and "
    "saliency on it, judged by ONNX Runtime on the very file that ships.\n\n"
    "Examples: onnxray demo; onnxray inspect net.onnx; onnxray classify net.onnx photo.jpg; "
    "onnxray saliency grad-cam net.onnx photo.jpg; onnxray lots net.onnx photo.jpg --target other.jpg",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 110,
    },
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"onnxray {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=_version, is_eager=True, expose_value=False, help="Print the version."
        ),
    ] = False,
    isolated: Annotated[
        bool, typer.Option("--isolated", help="Take nothing from onnxray.toml, pyproject.toml or ONNXRAY_ variables.")
    ] = False,
) -> None:
    """Options of the program itself, which are read where they count."""


def function_at(path: Sequence[str]) -> Command:
    """The function of the command that is called so: ``("saliency", "check", "gradient")``."""
    found: Any = Commands()
    for name in path:
        found = found.commands[name].load()
    return cast(Command, found)


def main() -> None:
    """Run the program. Exit status: 0 done, 1 the request cannot be met, 2 wrong usage, 3 a policy is not
    met, 4 diff found another graph, 130 interrupted.
    """
    app(prog_name="onnxray")
