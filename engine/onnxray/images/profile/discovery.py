"""Where a model's profile comes from, in this order; the first that answers is taken.

1. what the caller names: a Profile, a family, a TOML file      4. config.json, preprocessor_config.json beside it
2. <model>.toml beside the model                                5. a guess from the graph, marked assumed,
3. the metadata inside the ONNX file                              where the input shows that it takes pictures
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from onnxray.errors import ProfileError
from onnxray.errors.short_values import short
from onnxray.graph.classifier.class_names import MAX_TEXT, read_class_names
from onnxray.graph.inputs.kinds import input_kinds
from onnxray.graph.outputs.facts import dims_of
from onnxray.images.profile.config_files import METADATA, card_profile, configured, metadata_cards
from onnxray.images.profile.families import (
    FAMILIES,
    INTEGERS,
    Family,
    ImageInput,
    free_size,
    guess_family,
    image_input,
    shown,
)
from onnxray.images.profile.label_files import LABEL_LISTS, labels_in, listed_labels
from onnxray.images.profile.profile import Channels, Profile
from onnxray.images.profile.toml_form import describes_picture, read_profile, read_side_text

if TYPE_CHECKING:
    from onnxray.graph.facts import Graph

METADATA_KEY: Final = "onnxray.profile"
_PADDLE_OCR: Final = (48, 320)
_AXES_OF_STEPS: Final = 3
# input = scale * x - mean, by Windows ML's names (onnx/docs/MetadataProps.md)
_RANGES: Final = {
    "nominalrange_0_255": (1.0, 0.0),
    "normalized_0_1": (1 / 255, 0.0),
    "normalized_1_1": (1 / 127.5, 1.0),
    "nominalrange_16_235": (219 / 255, -16.0),
}
_FORMATS: Final[Mapping[str, Channels]] = {"gray8": "GREY", "rgb8": "RGB", "bgr8": "BGR"}


def discover(graph: Graph, option: Profile | str | os.PathLike[str] | None = None) -> Profile | None:
    """Return the model's profile, or None where its input is no image and nobody says it is.

    option: a Profile, the name of a family, or the path of a TOML file. A profile that was guessed has
    ``assumed`` set and says why in ``reasons``.
    Errors: ProfileError for an unknown family, a malformed side file, or a profile that contradicts the graph's input.
    """
    profile = _find(graph, option)
    if profile is None:
        return None
    check_fits(profile, graph)
    return profile


def _find(graph: Graph, option: Profile | str | os.PathLike[str] | None) -> Profile | None:
    if option is not None:
        return _named(graph, option)
    if graph.path is not None and (beside := graph.path.with_suffix(".toml")).is_file() and describes_picture(beside):
        return read_profile(beside)
    if METADATA_KEY in graph.metadata:
        return read_profile(graph.metadata[METADATA_KEY], METADATA)
    try:
        found = image_input(graph)
    except ProfileError:
        return None
    profile = _windows_ml(graph, found) or _ultralytics(graph, found) or _ocr(graph, found) or _cards(graph, found)
    if profile is None and graph.path is not None:
        profile = configured(graph.path, found)
    if profile is None and found.channels in (1, 3) and graph.once(input_kinds)[0].kind == "picture":
        family, why = guess_family(graph, found)
        profile = family.complete(graph, source="inferred", assumed=True, reasons=(why,))
    return _with_labels(profile, graph)


def _named(graph: Graph, option: Profile | str | os.PathLike[str]) -> Profile:
    if isinstance(option, Profile):
        return option
    if not isinstance(option, str | os.PathLike):
        raise ProfileError(f"the profile is {short(option)}; a Profile, a family's name or a TOML file was expected")
    if isinstance(option, str) and option in FAMILIES:
        profile = FAMILIES[option].complete(graph, source=f"option {option}")
        return _with_labels(profile, graph) or profile
    path = Path(option)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if not there:
        if path.suffix.lower() == ".toml" or path.name != str(option):
            raise ProfileError(
                f"{short(str(option))}: no such file; give the path of a TOML file, or one of {', '.join(FAMILIES)}"
            )
        near = difflib.get_close_matches(str(option)[:40], FAMILIES, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ProfileError(
            f"no profile {short(str(option))}: {hint}give the path of a TOML file or one of {', '.join(FAMILIES)}"
        )
    return read_profile(path)


def read_labels(option: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the class names in a file, or those of a list by its name. Errors: ProfileError."""
    path = Path(option)
    try:
        there = path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        there = False
    if there:
        return labels_in(read_side_text(path), path)
    if isinstance(option, str) and option.lower() in LABEL_LISTS:
        return listed_labels(option.lower())
    near = difflib.get_close_matches(str(option)[:40], LABEL_LISTS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ProfileError(f"no labels {short(str(option))}: {hint}Give a file, none, or one of {', '.join(LABEL_LISTS)}")


def check_fits(profile: Profile, graph: Graph) -> None:
    """Raise ProfileError, with both sides in it, where a profile contradicts what the graph's input fixes."""
    found = image_input(graph)
    shape = graph.inputs[0].shape
    channels, height, width = profile.shape
    asked = (channels, height, width) if profile.layout == "NCHW" else (height, width, channels)
    if shape is not None:
        fixed = [size if isinstance(size, int) and size > 0 else None for size in shape[1:]]
        if any(size is not None and size != want for size, want in zip(fixed, asked)):
            raise ProfileError(
                f"profile {profile.name!r} ({profile.source}) makes {profile.channels} {profile.layout} of shape "
                f"{shown(('N', *asked))}, the model's input {short(found.name)} is {shown(shape)}; mend the profile's "
                "layout, channels or size, or name another profile"
            )
    if found.dtype in INTEGERS and not profile.is_identity:
        raise ProfileError(
            f"profile {profile.name!r} ({profile.source}) makes broken numbers (scale {profile.scale:g}), the model's "
            f"input {short(found.name)} is {found.dtype}; expected scale 1, mean 0 and std 1, as in the family 'raw'"
        )


def _windows_ml(graph: Graph, found: ImageInput) -> Profile | None:
    """Return what Image.BitmapPixelFormat and Image.NominalPixelRange say; keys and values in any case."""
    told = {key.lower(): value for key, value in graph.metadata.items()}
    pixel_format, pixel_range = told.get("image.bitmappixelformat"), told.get("image.nominalpixelrange")
    if pixel_format is None and pixel_range is None:
        return None
    reasons: tuple[str, ...] = found.reasons
    if pixel_range is None:
        pixel_range = "NominalRange_0_255"
        reasons += ("range 0..255: Windows ML's default, the metadata names none",)
    if pixel_range.lower() not in _RANGES:
        raise ProfileError(
            f"{METADATA}: Image.NominalPixelRange is {short(pixel_range)}; expected one of {', '.join(_RANGES)}; "
            "name the profile yourself"
        )
    scale, mean = _RANGES[pixel_range.lower()]
    assumed = pixel_format is None
    if pixel_format is None:
        pixel_format = "Gray8" if found.channels == 1 else "Rgb8"
        reasons += (f"channels {pixel_format}: assumed, the metadata names the range of the pixels only",)
    if pixel_format.lower() not in _FORMATS:
        raise ProfileError(
            f"{METADATA}: Image.BitmapPixelFormat is {short(pixel_format)}; expected Gray8, Rgb8 or Bgr8; "
            "name the profile yourself"
        )
    channels = _FORMATS[pixel_format.lower()]
    # The metadata has no word for resizing, so pictures are resized as the unnamed family does.
    family = Family(name="Windows ML", channels=channels, scale=scale, mean=(mean,), std=(1.0,))
    return _of_metadata(family, found, reasons, assumed=assumed)


def _ultralytics(graph: Graph, found: ImageInput) -> Profile | None:
    """Return x/255 RGB for what ultralytics exported: letterboxed on grey 114, or cropped for the task of classifying.

    YOLOv5 leaves its author out; a stride beside names is its mark. A size that the graph leaves free is imgsz.
    """
    told = graph.metadata
    if told.get("author") != "Ultralytics" and not (told.get("stride", "").strip().isdigit() and "names" in told):
        return None
    classify = told.get("task") == "classify"
    numbers = [int(number) for number in re.findall(r"[0-9]{1,5}", told.get("imgsz", "")[:100])]
    stated = (numbers[0], numbers[-1]) if 1 <= len(numbers) <= 2 and all(numbers) else None
    family = Family(
        name="ultralytics",
        channels="GREY" if found.channels == 1 else "RGB",
        scale=1 / 255,
        mean=(0.0,),
        std=(1.0,),
        size=stated or ((224, 224) if classify else (640, 640)),
        resize="crop" if classify else "pad",
        crop_fraction=1.0,
        fill=None if classify else 114.0,
    )
    why = "ultralytics' own preprocessing" + ("" if stated is None else f"; imgsz is {family.size[0]}x{family.size[1]}")
    return _of_metadata(family, found, (*found.reasons, why), assumed=False)


def _ocr(graph: Graph, found: ImageInput) -> Profile | None:
    """Return x/127.5 - 1, fitted in and put to the left, of a reader of text with its characters in the metadata.

    So do PaddleOCR and RapidOCR, in BGR and, since PP-OCRv3, at 48x320; img_h and img_w are EasyOCR's. A height that
    nothing states is assumed, and so is what is no PP-OCR: a grey input.
    """
    if _characters(graph) is None:
        return None
    stated = [int(text) if (text := graph.metadata.get(key, "").strip()).isdecimal() and len(text) < 6 else 0
              for key in ("img_h", "img_w")]  # fmt: skip
    grey, height = found.channels == 1, found.height or stated[0]
    family = Family(
        name="ocr", channels="GREY" if grey else "BGR", scale=1 / 127.5, mean=(1.0,), std=(1.0,),
        size=(height or _PADDLE_OCR[0], stated[1] or _PADDLE_OCR[1]), resize="pad", crop_fraction=1.0,
    )  # fmt: skip
    reasons = (*found.reasons, "ocr: the metadata hold the characters that are read, as PaddleOCR's and RapidOCR's do")
    if not height:
        reasons += (f"height {_PADDLE_OCR[0]}: PP-OCRv3's and later, PP-OCRv2's is 32, and the model leaves it free",)
    profile = _of_metadata(family, found, reasons, assumed=grey or not height)
    return dataclasses.replace(profile, crop_offset="start")


def _characters(graph: Graph) -> tuple[str, ...] | None:
    """The classes of a reader of text: CTC's blank, the characters of the metadata, one a line, and the space.

    The first and the last as far as the output has classes for them; None where it has not as many classes at all.
    """
    text = graph.metadata.get("character", "")
    if not text or len(text) > MAX_TEXT:
        return None
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    characters = tuple(lines if len(lines) > 1 else text)
    dims = dims_of(graph, graph.outputs[0].name) if graph.outputs else None
    count = dims[-1] if dims else None
    if dims is not None and len(dims) != _AXES_OF_STEPS:
        return None
    beyond = count - len(characters) if isinstance(count, int) else len(("blank", " "))
    forms = {0: characters, 1: ("blank", *characters), 2: ("blank", *characters, " ")}
    return forms.get(beyond)


def _cards(graph: Graph, found: ImageInput) -> Profile | None:
    """Return what the files of timm and transformers say that an exporter put into the metadata as they are."""
    for origin, card in metadata_cards(graph.metadata):
        profile = card_profile(card, origin, found)
        if profile is not None:
            return profile
    return None


def _of_metadata(family: Family, found: ImageInput, reasons: tuple[str, ...], *, assumed: bool) -> Profile:
    count = 1 if family.channels == "GREY" else 3
    size, why = free_size(found, family.size)
    return Profile(
        name=family.name,
        layout=found.layout or "NCHW",
        channels=family.channels,
        scale=family.scale,
        mean=family.mean * count,
        std=family.std * count,
        size=size,
        resize=family.resize,
        crop_fraction=family.crop_fraction,
        fill=family.fill,
        source=METADATA,
        assumed=assumed,
        reasons=(*reasons, *why),
    )


def _with_labels(profile: Profile | None, graph: Graph) -> Profile | None:
    """Add the class names of the metadata, where they can be read and none are there."""
    if profile is None or profile.labels is not None:
        return profile
    if (characters := _characters(graph)) is not None:
        why = f"labels: {METADATA}, character"
        return dataclasses.replace(profile, labels=characters, reasons=(*profile.reasons, why))
    for key in ("labels", "names"):
        text = graph.metadata.get(key, "")
        if labels := read_class_names(text):
            return dataclasses.replace(profile, labels=labels, reasons=(*profile.reasons, f"labels: {METADATA}, {key}"))
        if len(text) > MAX_TEXT:
            why = f"labels: {METADATA}, {key} is not read, it has {len(text)} characters and {MAX_TEXT} are the most"
            profile = dataclasses.replace(profile, reasons=(*profile.reasons, why))
    return profile
