"""The numbers that options are by default, and between which they may be: what a run without options gives."""

import dataclasses
from typing import Any, get_type_hints

from onnxray.methods.catalogue import methods
from onnxray.methods.option_checks import described

STATED: dict[str, dict[str, tuple[float | None, str | None]]] = {
    "ablation_cam": {
        "batch_memory": (512, None),
    },
    "activations": {
        "most": (256, "from 1 to 100000"),
    },
    "apgd": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (100, "from 1 to 100000"),
        "restarts": (1, "from 1 to 10000"),
        "classes": (0, "from 0 to 100000"),
        "rho": (0.75, "from 0 to 1"),
    },
    "apply": {
        "queries": (None, "from 1 to 1000000000"),
    },
    "bisection": {
        "queries": (None, "from 1 to 1000000000"),
        "first": (None, "from 0.001 to 1e+06"),
        "precision": (0.01, "from 0.0001 to 0.5"),
    },
    "caricature": {
        "every": (0, "from 0 to 1000000"),
        "steps": (300, "from 1 to 1000000"),
        "weight": (20.0, "from 1e-09 to 1e+09"),
        "jitter": (-1, "from -1 to 1000"),
    },
    "carlini_wagner": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (1000, "from 1 to 100000"),
        "constants": (9, "from 1 to 100"),
        "constant": (0.001, "from 1e-09 to 1e+09"),
        "step_size": (0.01, "from 1e-06 to 10"),
        "confidence": (0.0, "from 0 to 1e+06"),
    },
    "ddn": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (100, "from 1 to 100000"),
        "gamma": (0.05, "from 0.0001 to 0.9"),
        "start_norm": (255.0, "from 0.001 to 1e+06"),
    },
    "deepdream": {
        "every": (0, "from 0 to 1000000"),
        "octaves": (4, "from 1 to 64"),
        "octave_scale": (1.4, "from 1.01 to 16"),
        "steps": (10, "from 1 to 1000000"),
        "step_size": (1.5, "from 1e-06 to 255"),
        "jitter": (32, "from 0 to 100000"),
        "size": (512, "from 8 to 20000"),
        "frames": (0, "from 0 to 100000"),
        "zoom": (0.05, "from 0 to 0.9"),
    },
    "deepfool": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (50, "from 1 to 100000"),
        "candidates": (10, "from 2 to 100000"),
        "overshoot": (0.02, "from 0 to 1"),
    },
    "deeplift": {
        "blur": (10.0, "from 0.1 to 1000"),
        "trials": (10, "from 1 to 10000"),
    },
    "eot": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "draws": (10, "from 1 to 100000"),
        "steps": (40, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
        "trials": (100, "from 1 to 1000000"),
    },
    "feature_adversary": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (10.0, "from 0.001 to 255"),
        "steps": (300, "from 1 to 100000"),
        "ratio": (0.5, "from 1e-06 to 1"),
    },
    "fgsm": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
    },
    "fgv": {
        "queries": (None, "from 1 to 1000000000"),
        "max_scale": (1024, "from 1 to 65536"),
        "beyond": (1.0, "from 1 to 100"),
    },
    "filters": {
        "most": (32, "from 1 to 1000"),
    },
    "fmn": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (100, "from 1 to 100000"),
        "step_size": (None, "from 0.001 to 1e+06"),
        "gamma": (0.05, "from 0.001 to 0.9"),
    },
    "fooling_evolution": {
        "confidence": (0.99, "from 1e-06 to 1"),
        "population": (200, "from 2 to 100000"),
        "generations": (1000, "from 0 to 1000000"),
        "runs": (1, "from 1 to 10000"),
        "queries": (None, "from 1 to 1000000000000"),
    },
    "fooling_gradient": {
        "confidence": (0.99, "from 1e-06 to 1"),
        "samples": (1, "from 1 to 100000"),
        "steps": (200, "from 1 to 100000"),
        "rate": (1.0, "from 0.0001 to 255"),
        "decay": (0.0, "from 0 to 1"),
        "check": (5, "from 1 to 100000"),
        "queries": (None, "from 1 to 1000000000"),
        "together": (16, "from 1 to 10000"),
    },
    "hopskipjump": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (32, "from 1 to 100000"),
        "first_draws": (100, "from 2 to 100000"),
        "most_draws": (10000, "from 2 to 1000000"),
    },
    "hot_cold": {
        "queries": (None, "from 1 to 1000000000"),
        "max_scale": (1024, "from 1 to 65536"),
        "beyond": (1.0, "from 1 to 100"),
        "rank": (1, "from 1 to 100000"),
    },
    "integrated_gradients": {
        "blur": (10.0, "from 0.1 to 1000"),
        "trials": (10, "from 1 to 10000"),
        "steps": (32, "from 1 to 4096"),
        "gap": (0.05, "from 0 to 1e+06"),
        "max_steps": (512, "from 1 to 4096"),
    },
    "invert": {
        "every": (0, "from 0 to 1000000"),
        "samples": (1, "from 1 to 1000"),
        "steps": (None, "from 1 to 1000000"),
        "weight": (1.0, "from 0 to 1e+30"),
        "rate": (None, "from 1e-30 to 1e+30"),
        "jitter": (None, "from 0 to 1000"),
    },
    "kernel_shap": {
        "segments": (None, "from 1"),
        "compactness": (None, "from 1e-06"),
        "batch_memory": (512, None),
        "samples": (None, "from 2"),
    },
    "lbfgs": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (150, "from 1 to 100000"),
        "constants": (12, "from 1 to 100"),
        "constant": (0.01, "from 1e-09 to 1e+09"),
        "pairs": (15, "from 1 to 1000"),
    },
    "lime": {
        "segments": (None, "from 1"),
        "compactness": (None, "from 1e-06"),
        "batch_memory": (512, None),
        "samples": (1000, "from 2"),
        "width": (0.354, "from 1e-06 to 1e+06"),
        "ridge": (1.0, "from 0 to 1e+12"),
    },
    "linear": {
        "queries": (None, "from 1 to 1000000000"),
    },
    "lots": {
        "steps": (1, "from 1 to 100000"),
        "step_size": (1.0, "from 0.001 to 255"),
        "linf": (128.0, "from 1 to 255"),
        "distance": (0.5, "from 0 to 1e+30"),
        "max_scale": (1024, "from 1 to 65536"),
    },
    "lrp": {
        "epsilon": (1e-06, "from 0 to 1e+06"),
        "gamma": (0.25, "from 0 to 1e+06"),
    },
    "maximize": {
        "every": (0, "from 0 to 1000000"),
        "samples": (1, "from 1 to 10000"),
        "diversity": (0.0, "from 0 to 1e+30"),
        "steps": (None, "from 1 to 1000000"),
        "rate": (None, "from 1e-30 to 1e+30"),
        "weight": (1.0, "from 0 to 1e+30"),
        "reference": (None, "from 1e-30 to 1e+30"),
        "facets": (10, "from 1 to 10000"),
        "generator_black": (-1.0, None),
        "generator_white": (1.0, None),
        "code_decay": (None, "from 0 to 1"),
        "code_noise": (1e-17, "from 0 to 1e+30"),
        "together": (64, "from 1 to 10000"),
    },
    "mifgsm": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (10, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
        "restarts": (1, "from 1 to 10000"),
        "momentum": (1.0, "from 0 to 1"),
    },
    "neighbors": {
        "k": (5, "from 1 to 1000"),
        "duplicate": (0.1, "from 0 to 1"),
        "pixel_size": (64, "from 1 to 4096"),
        "sheets": (40, "from 0 to 10000"),
    },
    "nes": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (100, "from 1 to 100000"),
        "pairs": (25, "from 1 to 100000"),
        "spread": (2.55, "from 0.0001 to 255"),
        "step_size": (None, "from 1e-06 to 1e+09"),
    },
    "noise": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "draws": (1000, "from 1 to 10000000"),
    },
    "occlusion": {
        "size": (None, "from 1"),
        "stride": (None, "from 1"),
        "batch_memory": (512, None),
    },
    "patch": {
        "share": (0.1, "from 0.0001 to 1"),
        "steps": (300, "from 1 to 1000000"),
        "batch": (16, "from 1 to 100000"),
        "step_size": (8.0, "from 0.001 to 255"),
        "trials": (100, "from 1 to 1000000"),
        "print_mm": (100.0, "from 5 to 190"),
        "dpi": (300, "from 72 to 600"),
    },
    "patches": {
        "most": (16, "from 1 to 10000"),
        "patches": (9, "from 1 to 100"),
    },
    "pdpgd": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (500, "from 2 to 100000"),
        "step_size": (0.1, "from 1e-06 to 10"),
        "weight_step": (0.1, "from 1e-06 to 10"),
    },
    "pgd": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (40, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
        "restarts": (1, "from 1 to 10000"),
    },
    "rays": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (2000, "from 1 to 1000000"),
        "tolerance": (0.1, "from 0.0001 to 16"),
    },
    "probe": {
        "test": (0.3, "from 0.01 to 0.99"),
        "folds": (None, "from 2 to 100"),
        "k": (5, "from 1 to 1000"),
        "most": (8, "from 1 to 200"),
    },
    "rise": {
        "masks": (4000, "from 1"),
        "cells": (7, "from 1"),
        "keep": (0.5, None),
        "batch_memory": (512, None),
    },
    "sigma_zero": {
        "queries": (None, "from 1 to 1000000000"),
        "steps": (1000, "from 1 to 100000"),
        "step_size": (1.0, "from 0.001 to 10"),
        "sigma": (0.001, "from 1e-09 to 1"),
        "threshold": (0.3, "from 0 to 1"),
    },
    "smoothgrad": {
        "samples": (50, "from 1 to 100000"),
        "noise": (0.15, "from 1e-06 to 1e+06"),
    },
    "spsa": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (100, "from 1 to 100000"),
        "pairs": (25, "from 1 to 100000"),
        "spread": (2.55, "from 0.0001 to 255"),
        "step_size": (None, "from 1e-06 to 1e+09"),
    },
    "square": {
        "queries": (None, "from 1 to 1000000000"),
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (5000, "from 1 to 1000000"),
        "share": (0.8, "from 0.0001 to 1"),
    },
    "style": {
        "every": (0, "from 0 to 1000000"),
        "content_weight": (1.0, "from 0 to 1e+12"),
        "style_weight": (20.0, "from 0 to 1e+12"),
        "steps": (300, "from 2 to 1000000"),
    },
    "surrogate": {
        "queries": (None, "from 1 to 1000000000"),
        "copies": (20, "from 0 to 10000"),
        "epochs": (20, "from 1 to 100000"),
        "width": (32, "from 1 to 128"),
    },
    "tcav": {
        "trials": (20, "from 2 to 10000"),
    },
    "texture": {
        "every": (0, "from 0 to 1000000"),
        "samples": (1, "from 1 to 10000"),
        "steps": (400, "from 2 to 1000000"),
    },
    "transfer": {
        "queries": (None, "from 1 to 1000000000"),
    },
    "tsne": {
        "perplexity": (None, "from 1 to 10000"),
        "components": (None, "from 2 to 10000"),
        "k": (5, "from 1 to 100"),
    },
    "universal": {
        "eps": (10.0, "from 0.001 to 1e+09"),
        "fooling_rate": (0.8, "from 0 to 1"),
        "epochs": (10, "from 1 to 100000"),
        "steps": (10, "from 2 to 100000"),
        "candidates": (10, "from 2 to 100000"),
        "overshoot": (0.02, "from 0 to 1"),
        "batch": (32, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
    },
    "value_occlusion": {
        "size": (1, "from 1"),
        "stride": (1, "from 1"),
        "batch_memory": (512, None),
    },
}
"""Option -> its default (None: it follows from others) and its range; a change is one of the interface."""


def numbers(method: type[Any]) -> dict[str, tuple[float | None, str | None]]:
    """The options of a method that are numbers, or have a range."""
    hints, found = get_type_hints(method, include_extras=True), {}
    for field in dataclasses.fields(method):
        limits = described(hints[field.name])[2]
        number = isinstance(field.default, int | float) and not isinstance(field.default, bool)
        if number or limits is not None:
            found[field.name] = (field.default, None if limits is None else str(limits))
    return found


def test_the_defaults_and_ranges_are_those_that_are_stated() -> None:
    assert {name: found for name, method in methods().items() if (found := numbers(method))} == STATED


def test_options_are_given_by_name_alone() -> None:
    for method in methods().values():
        assert all(field.kw_only for field in dataclasses.fields(method)), method.__name__
