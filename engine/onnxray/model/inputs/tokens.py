"""Text as token ids, by a user's own tokenizer.json and the package ``tokenizers``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxray.arrays import Array
from onnxray.errors import InputError
from onnxray.errors.short_values import short
from onnxray.graph.inputs.names import says
from onnxray.model.inputs.stated import Input, Inputs

_FILE = "tokenizer.json"
_INSTALL = "text needs the package tokenizers: pip install onnxray[text]"


@dataclass(frozen=True, eq=False)
class Tokens:
    """Ids, mask and types by the names of inputs; words: the tokens as they are written, a tuple a text."""

    arrays: dict[str, Array]
    words: tuple[tuple[str, ...], ...]
    note: str


def encode(texts: list[str], inputs: Inputs) -> Tokens:
    """Token ids of texts, for every input of token ids: ids, attention mask and token types by their names.

    Where the file fixes the length, texts are padded to it, or cut off; else to the longest.
    Errors: InputError where there is no tokenizer, or none of its files can be read.
    """
    wanted = inputs.of_kind("token ids")
    if not wanted:
        raise InputError(f"text was given, and none of the inputs takes token ids: {inputs.names}")
    path = _file(wanted, inputs.folder)
    tokenizer = _open(path)
    length = next((size for one in wanted for size in (one.value.shape or ())[1:] if isinstance(size, int)), None)
    tokenizer.enable_padding(**({"length": length} if length else {}), **_padding(tokenizer))
    if length:
        tokenizer.enable_truncation(max_length=length)
    try:
        found = tokenizer.encode_batch(texts)
    except Exception as error:  # whatever its Rust side says
        raise InputError(f"{path} cannot encode the text: {error}") from None
    if not found or not found[0].ids:
        raise InputError("the text holds no tokens")
    arrays = {one.name: np.array([_part(one, text) for text in found], np.int64) for one in wanted}
    cut = sum(len(text.overflowing) > 0 for text in found)
    note = f"tokens by {path.name}" + (f"; {cut} texts cut off at {length} tokens" if cut else "")
    return Tokens(arrays, tuple(tuple(text.tokens) for text in found), note)


def _part(one: Input, text: Any) -> list[int]:
    """The numbers of one input for a text: by its name, the ids where that says nothing else."""
    name = one.name.lower()
    if "mask" in name:
        return list(text.attention_mask)
    if "type" in name or "segment" in name:
        return list(text.type_ids)
    if "position" in name:
        return list(range(len(text.ids)))
    if one.gathered is None and says(one.name, "tokens") is None:
        raise InputError(f"the input {short(one.name)} is none that a tokenizer gives; give it with NAME=FILE")
    return list(text.ids)


def _file(wanted: tuple[Input, ...], folder: Path | None) -> Path:
    stated = next((str(one.options["tokenizer"]) for one in wanted if "tokenizer" in one.options), None)
    if stated is not None:
        path = Path(stated) if folder is None or Path(stated).is_absolute() else folder / stated
        if not path.is_file():
            raise InputError(f"the tokenizer {path}: no such file")
        return path
    if folder is not None and (folder / _FILE).is_file():
        return folder / _FILE
    raise InputError(
        f"text needs a tokenizer, and no {_FILE} lies beside the model; put it there, name it by "
        f"[inputs.{wanted[0].name}] tokenizer = ... in the profile's TOML, or give token ids as .npy, CSV or JSON"
    )


def _open(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise InputError(_INSTALL) from None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise InputError(f"{path} is no tokenizer that can be read: {error}") from None


def _padding(tokenizer: Any) -> dict[str, Any]:
    """How the tokenizer pads by its own file; with the id of [PAD] or <pad> where it says nothing."""
    own = tokenizer.padding or {}
    found = {key: own[key] for key in ("pad_id", "pad_token", "pad_type_id", "direction") if key in own}
    if not found:
        for token in ("[PAD]", "<pad>"):
            if (number := tokenizer.token_to_id(token)) is not None:
                return {"pad_id": number, "pad_token": token}
    return found
