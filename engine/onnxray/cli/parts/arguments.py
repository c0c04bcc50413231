"""Arguments and options that commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="An .onnx file, or a bundled model: lenet; Caffe's net.caffemodel or deploy.prototxt+net.caffemodel.",
    ),
]


ImagesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGE...",
        help="Image files, or folders of images. For other models what their inputs take: .npy, .npz, .csv, .json, "
        ".wav, text; NAME=FILE for one of several.",
    ),
]


ProfileOption = Annotated[
    str | None,
    typer.Option(
        "--profile",
        rich_help_panel="Model",
        envvar="ONNXRAY_PROFILE",
        metavar="NAME|FILE.toml",
        help="How pixels become the model's input: caffe-imagenet, vgg-face, torchvision, timm-half, tensorflow, unit, "
        "raw, lenet, or a TOML file. Found beside the model or in it where not given; guessed at last, which is said.",
    ),
]


LabelsOption = Annotated[
    str | None,
    typer.Option(
        "--labels",
        rich_help_panel="Model",
        envvar="ONNXRAY_LABELS",
        metavar="FILE|NAME",
        help="The names of the classes: a file (one a line, JSON, id2label, Keras' class index); or mnist, cifar10, "
        "cifar100, voc, voc21, coco, imagenet, imagenet-1001; or none.",
    ),
]


InputOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        rich_help_panel="Model",
        envvar="ONNXRAY_INPUT",
        metavar="NAME=KIND|arrays",
        help="What an input is read as: picture, array, table-row, token-ids, waveform, video-clip, string; "
        "repeatable. Told from the file where not stated, as inspect shows it; arrays: every input as it is.",
    ),
]


def _picture_option(name: str, metavar: str, text: str) -> Any:
    """An option for one field of the profile; a command with an option of that name has the longer one alone."""
    return typer.Option(
        f"--{name}",
        f"--profile-{name}",
        metavar=metavar,
        help=text,
        rich_help_panel="Model",
        envvar=f"ONNXRAY_PROFILE_{name.upper()}",
    )


SizeOption = Annotated[str | None, _picture_option("size", "HxW", "This once: the size that pictures are brought to.")]
ResizeOption = Annotated[
    str | None, _picture_option("resize", "stretch|crop|pad", "This once: how pictures are brought to it.")
]
ChannelsOption = Annotated[
    str | None, _picture_option("channels", "RGB|BGR|GREY", "This once: the order of the channels.")
]
MeanOption = Annotated[
    str | None, _picture_option("mean", "M[,M,M]", "This once: input = (scale * pixels - mean) / std.")
]
StdOption = Annotated[str | None, _picture_option("std", "S[,S,S]", "This once: see --mean.")]
ScaleOption = Annotated[str | None, _picture_option("scale", "A", "This once: see --mean; 1/255 is understood.")]


DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="cpu|cuda", help="Where both engines run.", rich_help_panel="Model", envvar="ONNXRAY_DEVICE"
    ),
]


StrictOption = Annotated[
    bool,
    typer.Option(
        "--strict",
        rich_help_panel="Model",
        envvar="ONNXRAY_STRICT",
        help="Refuse a profile that was only guessed, and folders with pictures that cannot be read.",
    ),
]


ApproximateOption = Annotated[
    bool,
    typer.Option(
        "--approximate",
        rich_help_panel="Model",
        envvar="ONNXRAY_APPROXIMATE",
        help="Give gradients also where this processor saturates u8 x s8 products, so that they cannot be checked.",
    ),
]


OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        rich_help_panel="Model",
        envvar="ONNXRAY_OUTPUT",
        metavar="NAME[=KIND]",
        help="The output that the model is answered with, and what it is: classes, binary, multi-label, logits, "
        "probabilities, regression, embedding, boxes, mask, sequence, labels. inspect shows what the file tells.",
    ),
]


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        rich_help_panel="Output",
        envvar="ONNXRAY_JSON",
        help="Print one JSON document on standard output, and nothing else there.",
    ),
]


OutOption = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="DIR", help="Folder for pictures and result.json.", rich_help_panel="Output"),
]


OverwriteOption = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        rich_help_panel="Output",
        help="With -o DIR: replace the result of another run that lies there, with all of its files.",
    ),
]


ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        rich_help_panel="Output",
        help="With -o DIR: go on with this same run, which was stopped or killed in DIR; what is finished there is "
        "taken over. A folder that is empty or not there yet begins one.",
    ),
]


TitleOption = Annotated[
    str | None,
    typer.Option("--title", help="What heads the sheets in place of method and model.", rich_help_panel="Output"),
]
BackgroundOption = Annotated[
    str,
    typer.Option(
        "--background",
        metavar="white|dark|transparent|#rrggbb",
        help="What sheets and plots are drawn on; text and lines change with it.",
        rich_help_panel="Output",
        envvar="ONNXRAY_BACKGROUND",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Seed of whatever is random.", rich_help_panel="Method", envvar="ONNXRAY_SEED")
]


OneTargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        rich_help_panel="Target",
        metavar="CLASS|COMPARISON",
        help="The class to reach (number or label), or a comparison that shall hold: 'boxes[0].score < 0.3', "
        "'output > 3'. Without it the class is left, whichever comes.",
    ),
]
