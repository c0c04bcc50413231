"""Objects found in the maps of a run, beside the maps: box and mask, in the model's pixels and in the picture's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxray.errors import ImageError, InputError
from onnxray.images.drawing.object_outline import draw_object
from onnxray.images.files import picture_size, read_picture
from onnxray.images.placement import Box, placement
from onnxray.images.profile.profile import Profile
from onnxray.methods.saliency.found_objects import (
    Mask,
    Way,
    box_around,
    box_overlap,
    grabcut,
    is_pointed_at,
    mask_overlap,
    threshold,
)
from onnxray.methods.saliency.item import MapItem
from onnxray.model.model import Model
from onnxray.results.file_names import place_of
from onnxray.results.result import Result

_CAM_SHARE, _SHARE = 0.20, 0.15


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """Where the object is known to be, in pixels of the model's size: a box, or a mask (height, width)."""

    box: Box
    mask: Mask | None = None

    @classmethod
    def of_mask(cls, mask: NDArray[Any]) -> Reference:
        """A mask, true (or above zero) on the object. Errors: InputError."""
        found = np.asarray(mask) > 0
        box = box_around(found) if found.ndim == 2 else None
        if box is None:
            raise InputError(f"a reference mask of shape {found.shape} marks nothing; (height, width) was expected")
        return cls(box=box, mask=found)

    def checked(self, size: tuple[int, int]) -> Reference:
        """Itself, if it fits an image of ``size`` (height, width). Errors: InputError."""
        x0, y0, x1, y1 = self.box
        if not (0 <= x0 < x1 <= size[1] and 0 <= y0 < y1 <= size[0]):
            raise InputError(
                f"the reference box {','.join(f'{side:g}' for side in self.box)} does not lie in the model's "
                f"{size[1]}x{size[0]} pixels; x0,y0,x1,y1 with x0 < x1 and y0 < y1 was expected"
            )
        if self.mask is not None and self.mask.shape != size:
            raise InputError(
                f"the reference mask has {self.mask.shape[1]}x{self.mask.shape[0]} pixels; the model's "
                f"{size[1]}x{size[0]} were expected"
            )
        return self


def references_of(given: Sequence[Reference], count: int) -> tuple[Reference | None, ...]:
    """One reference an image; one alone stands for one image. Errors: InputError."""
    if given and len(given) != count:
        raise InputError(f"{len(given)} references for {count} images; one an image was expected, in their order")
    return tuple(given) or (None,) * count


def read_references(boxes: Sequence[str] | None, masks: Sequence[Path] | None) -> tuple[Reference, ...]:
    """References from text ``x0,y0,x1,y1`` or from picture files; not both. Errors: InputError, ImageError."""
    if boxes and masks:
        raise InputError("reference boxes and masks were both given; one kind was expected")
    found = []
    for text in boxes or ():
        try:
            x0, y0, x1, y1 = (float(side) for side in text.split(","))
        except ValueError:
            raise InputError(f"the reference box is {text!r}; x0,y0,x1,y1 was expected, four numbers") from None
        found.append(Reference(box=(x0, y0, x1, y1)))
    found += [Reference.of_mask(np.asarray(read_picture(path, str(path), grey=True)[0])) for path in masks or ()]
    return tuple(found)


def with_objects(
    result: Result[MapItem],
    model: Model,
    how: Way,
    references: Sequence[Reference | None],
    *,
    share: float | None = None,
    seed: int = 0,
) -> Result[MapItem]:
    """The result with the object of every map; ``references``: one an image, in order. Errors: InputError."""
    find = object_finder(model, how, references, share=share, seed=seed)
    return replace(result, items=tuple(map(find, result.items)))


def object_finder(
    model: Model, how: Way, references: Sequence[Reference | None], *, share: float | None = None, seed: int = 0
) -> Callable[[MapItem], MapItem]:
    """What adds the object of its map to an item. references: one an image, in order, or none. Errors: InputError."""

    def find(item: MapItem) -> MapItem:
        reference = references[place_of(item.stem)] if references else None
        return with_object(item, model.profile, how, share=share, reference=reference, seed=seed)

    return find


def with_object(
    item: MapItem,
    profile: Profile | None,
    how: Way,
    *,
    share: float | None = None,
    reference: Reference | None = None,
    seed: int = 0,
) -> MapItem:
    """The item with the object of its map: numbers, its mask, and a picture of its outline and box.

    share: of the map's maximum, for "threshold"; default 20 % for cam, 15 % for all others, as published; what
    was taken stands in the numbers as ``share_of_maximum``, None for "grabcut".
    Errors: InputError where the samples are no images, and where the reference does not fit.
    """
    if not item.images or profile is None:
        raise InputError("objects are found in images, and this model's input is none; use --object none")
    image = item.images["image"]
    taken = None
    if how == "grabcut":
        found = grabcut(image, item.heat, seed=seed)
    else:
        taken = share if share is not None else _CAM_SHARE if item.method == "cam" else _SHARE
        found = threshold(item.heat, taken)
    mask = np.zeros(item.heat.shape, bool) if found.mask is None else found.mask
    own = None if found.box is None else _original_box(item.path, profile, found.box)
    numbers: dict[str, Any] = {
        "how": how, "box": found.box, "box_original": own, "share_of_image": found.share, "share_of_maximum": taken,
        "reason": found.reason,
    }  # fmt: skip
    if reference is not None:
        reference.checked(item.heat.shape)
        numbers["reference_box"] = reference.box
        numbers["box_iou"] = 0.0 if found.box is None else box_overlap(found.box, reference.box)
        numbers["pointed_at"] = is_pointed_at(item.heat, reference.box)
        if reference.mask is not None:
            numbers["mask_iou"] = mask_overlap(mask, reference.mask)
    drawn = draw_object(image, mask, found.box, None if reference is None else reference.box)
    pictures = {**item.images, "mask": mask[None].astype(np.uint8) * np.uint8(255), "object": drawn}
    return replace(item, object_=numbers, images=pictures)


def _original_box(path: str | None, profile: Profile, box: Box) -> Box | None:
    """The box in pixels of the picture's file; None where there is none (any more)."""
    if path is None:
        return None
    try:
        size = picture_size(Path(path))
    except ImageError:
        return None
    return placement(profile, *size).to_original(box)
