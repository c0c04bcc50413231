"""Changes that leave what is shown alone."""

from __future__ import annotations

import numpy as np

from onnxray.assess.audit.measures.changes import NAMES, changed

PICTURE = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10


def forms(name: str) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    return dict(changed(PICTURE, name, pixels=1, levels=20))


def test_every_change_is_what_it_says() -> None:
    shifts = forms("shift")
    assert (shifts["shift right"][:, :, 1:] == PICTURE[:, :, :-1]).all()
    assert (shifts["shift right"][:, :, 0] == PICTURE[:, :, 0]).all()
    assert (shifts["shift up"][:, :-1] == PICTURE[:, 1:]).all()
    assert (shifts["shift down"][:, 1:] == PICTURE[:, :-1]).all()
    assert (shifts["shift left"][:, :, :-1] == PICTURE[:, :, 1:]).all()
    light = forms("brightness")
    assert (light["brighter"] == np.clip(PICTURE.astype(int) + 20, 0, 255)).all()
    assert (light["darker"] == np.clip(PICTURE.astype(int) - 20, 0, 255)).all()
    more = forms("contrast")["more contrast"]
    assert (more == np.clip(np.rint((PICTURE - 127.5) * 1.25 + 127.5), 0, 255)).all()
    assert (forms("flip")["flip"] == PICTURE[:, :, ::-1]).all()
    assert set(NAMES) == {"shift", "brightness", "contrast", "flip"}
