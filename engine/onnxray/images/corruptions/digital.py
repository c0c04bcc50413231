"""What digital pictures suffer, on pictures (channels, height, width) of floats in [0, 1].

contrast    (x - m) c + m, m each channel's mean        saturate   the saturation of HSV times c_0, and c_1 more
pixelate    to c of the size and back, by boxes         jpeg       quality c
elastic     an affine map that moves three points by up to c_2 pixels, then each pixel by c_0 times uniform noise
            under a Gaussian of c_1
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from onnxray.arrays import Floats, Image8
from onnxray.images.corruptions.severities import Severity
from onnxray.images.eight_bits import to_uint8


def contrast(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Nothing is drawn."""
    mean = x.mean((1, 2), keepdims=True)
    return np.asarray((x - mean) * severity.numbers[0] + mean, np.float64)


def saturate(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Grey pixels have the hue of red, as HSV has it. Nothing is drawn."""
    factor, more = severity.numbers
    value, least = x.max(0), x.min(0)
    saturation = np.divide(value - least, value, out=np.zeros_like(value), where=value > 0)
    wanted = np.clip(saturation * factor + more, 0, 1)
    grey = np.stack([value, *[value * (1 - wanted)] * (len(x) - 1)])
    ratio = np.divide(wanted, saturation, out=np.zeros_like(value), where=saturation > 0)
    return np.where(saturation > 0, value - (value - x) * ratio, grey)


def elastic_transform(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """The last formula at the top of the file."""
    strength, sigma, moved = (number * severity.scale for number in severity.numbers)
    height, width = x.shape[1:]
    centre, third = np.array([height, width]) // 2, min(height, width) // 3
    points = centre + third * np.array([[1, 1], [1, -1], [-1, -1]])
    affine = np.linalg.solve(
        np.column_stack([points + random.uniform(-moved, moved, points.shape), np.ones(3)]), points.astype(np.float64)
    )  # where each pixel comes from
    rows, columns = np.meshgrid(np.arange(height, dtype=float), np.arange(width, dtype=float), indexing="ij")
    from_where = np.stack([rows, columns, np.ones_like(rows)], -1) @ affine
    bent = _read_at(x, from_where[..., 0], from_where[..., 1], "mirror")
    if not strength:
        return bent
    down, right = (
        strength * ndimage.gaussian_filter(random.uniform(-1, 1, (height, width)), sigma, mode="reflect", truncate=3)
        for _ in range(2)
    )
    return _read_at(bent, rows + down, columns + right, "reflect")


def pixelate(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Nothing is drawn."""
    picture = _picture(x)
    small = (max(1, int(side * severity.numbers[0])) for side in picture.size)
    return _floats(
        picture.resize((next(small), next(small)), Image.Resampling.BOX).resize(picture.size, Image.Resampling.BOX)
    )


def jpeg(x: Floats, severity: Severity, random: np.random.Generator) -> Floats:
    """Nothing is drawn."""
    stream = io.BytesIO()
    _picture(x).save(stream, "JPEG", quality=int(severity.numbers[0]))
    with Image.open(stream) as read:
        return _floats(read)


def _read_at(x: Floats, rows: Floats, columns: Floats, outside: str) -> Floats:
    """Each plane at places between pixels, by straight lines."""
    return np.stack([ndimage.map_coordinates(plane, [rows, columns], order=1, mode=outside) for plane in x])


def _picture(x: Floats) -> Image.Image:
    pixels: Image8 = to_uint8(x * 255)
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _floats(picture: Image.Image) -> Floats:
    array = np.asarray(picture, np.float64) / 255
    return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
