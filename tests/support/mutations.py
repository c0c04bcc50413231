"""Seeded damage to a model: bytes, fields, wiring, shapes, types, texts, nesting, and where external data lies."""

from pathlib import Path

import numpy as np
from onnx import ModelProto

from support.damage_bytes import BYTES
from support.damage_fields import PROTOS
from support.damage_places import PLACES
from support.damage_texts import TEXTS
from support.mutation_seeds import Seed
from support.payloads import RAW

MUTATORS = BYTES + PROTOS + PLACES + TEXTS
_NO_TEXT = b"\xff\xfe\xf0\x80z"


def write_case(seeds: list[Seed], number: int, seed: int, folder: Path) -> tuple[Path, str]:
    """Write mutation ``number`` of ``seed`` into a folder of its own; give the model's path and what was done."""
    random = np.random.default_rng([seed, number])
    healthy = seeds[number % len(seeds)]
    mutator = MUTATORS[(number // len(seeds)) % len(MUTATORS)]
    folder.mkdir(parents=True)
    for name, data in healthy.beside.items():
        (folder / name).write_bytes(data)
    path = folder / "model.onnx"
    model = ModelProto()
    model.CopyFrom(healthy.model)
    if mutator in BYTES:
        path.write_bytes(mutator(bytearray(model.SerializeToString()), random))
    else:
        for _ in range(1 if mutator in PLACES else int(random.integers(1, 4))):
            mutator(model, random, folder)
        path.write_bytes(serialised(model))
    return path, f"{healthy.name}: {mutator.__name__}"


def serialised(model: ModelProto) -> bytes:
    """The file of a model; where a payload asks for what is no UTF-8, with it."""
    return model.SerializeToString().replace(RAW.encode(), _NO_TEXT)
