"""PaddleOCR's reader of text, as rapidocr ships it: its characters, its preprocessing and what it reads, by its file alone."""

from pathlib import Path

import matplotlib
import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw, ImageFont

import onnxray
from support import packages

READER = "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx"
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def line(text: str, size: tuple[int, int]) -> Image.Image:
    picture = Image.new("RGB", size, "white")
    font = ImageFont.truetype(str(FONT), size[1] * 7 // 10)
    ImageDraw.Draw(picture).text((size[1] // 6, size[1] // 8), text, font=font, fill="black")
    return picture


def reference(path: Path, picture: Image.Image) -> str:
    """PaddleOCR's own steps for a line of 48 rows (resize_norm_img, CTCLabelDecode), by a plain session."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    fed = np.zeros((1, 3, 48, 320), np.float32)
    blue_first = np.asarray(picture)[:, :, ::-1].astype(np.float32).transpose(2, 0, 1)
    fed[0, :, :, : picture.width] = (blue_first / 255 - 0.5) / 0.5
    best = session.run(None, {"x": fed})[0][0].argmax(1)
    characters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    words = ["blank", *characters, " "]
    kept = [one for k, one in enumerate(best) if one and (k == 0 or one != best[k - 1])]
    return "".join(words[one] for one in kept)


@pytest.mark.parametrize("text", ["Hello 2026", "onnxray", "a b c", "éè", "1,234.50 €", "42"])
def test_it_reads_what_paddle_ocr_reads(text: str) -> None:
    path = packages.needed("rapidocr-onnxruntime", READER)
    model = onnxray.open(path)
    assert model.profile is not None
    assert (model.profile.name, model.profile.size, model.profile.channels) == ("ocr", (48, 320), "BGR")
    assert model.profile.labels is not None
    assert (len(model.profile.labels), model.profile.labels[0], model.profile.labels[-1]) == (6625, "blank", " ")
    picture = line(text, (40 + 26 * len(text), 48))
    found = model.predict(picture)
    assert found.kind == "sequence"
    assert found.text(0) == reference(path, picture)


def test_it_reads_text_of_another_height() -> None:
    model = onnxray.open(packages.needed("rapidocr-onnxruntime", READER))
    assert [model.predict(line("Hello 2026", (300 * times, 48 * times))).text(0).strip() for times in (1, 2, 3)] == [
        "Hello 2026"
    ] * 3


def test_every_value_agrees() -> None:
    model = onnxray.open(packages.needed("rapidocr-onnxruntime", READER))
    verified = model.verify(line("agrees", (200, 48)))
    assert verified.agrees, verified.first_divergence
