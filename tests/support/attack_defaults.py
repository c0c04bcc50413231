"""The numbers that options of attacks are by default, and between which they may be."""

STATED: dict[str, dict[str, tuple[float | None, str | None]]] = {
    "apgd": {
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (100, "from 1 to 100000"),
        "restarts": (1, "from 1 to 10000"),
        "classes": (0, "from 0 to 100000"),
        "rho": (0.75, "from 0 to 1"),
    },
    "bisection": {
        "first": (None, "from 0.001 to 1e+06"),
        "precision": (0.01, "from 0.0001 to 0.5"),
    },
    "carlini_wagner": {
        "steps": (1000, "from 1 to 100000"),
        "constants": (9, "from 1 to 100"),
        "constant": (0.001, "from 1e-09 to 1e+09"),
        "step_size": (0.01, "from 1e-06 to 10"),
        "confidence": (0.0, "from 0 to 1e+06"),
    },
    "ddn": {
        "steps": (100, "from 1 to 100000"),
        "gamma": (0.05, "from 0.0001 to 0.9"),
        "start_norm": (255.0, "from 0.001 to 1e+06"),
    },
    "deepfool": {
        "steps": (50, "from 1 to 100000"),
        "candidates": (10, "from 2 to 100000"),
        "overshoot": (0.02, "from 0 to 1"),
    },
    "fgsm": {
        "eps": (8.0, "from 0.001 to 1e+09"),
    },
    "fgv": {},
    "fmn": {
        "steps": (100, "from 1 to 100000"),
        "step_size": (255.0, "from 0.001 to 1e+06"),
        "gamma": (0.05, "from 0.001 to 0.9"),
    },
    "lbfgs": {
        "steps": (150, "from 1 to 100000"),
        "constants": (12, "from 1 to 100"),
        "constant": (0.01, "from 1e-09 to 1e+09"),
        "pairs": (15, "from 1 to 1000"),
    },
    "mifgsm": {
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (10, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
        "restarts": (1, "from 1 to 10000"),
        "momentum": (1.0, "from 0 to 1"),
    },
    "pdpgd": {
        "steps": (500, "from 2 to 100000"),
        "step_size": (0.1, "from 1e-06 to 10"),
        "weight_step": (0.1, "from 1e-06 to 10"),
    },
    "pgd": {
        "eps": (8.0, "from 0.001 to 1e+09"),
        "steps": (40, "from 1 to 100000"),
        "step_size": (None, "from 1e-06 to 1e+09"),
        "restarts": (1, "from 1 to 10000"),
    },
    "sigma_zero": {
        "steps": (1000, "from 1 to 100000"),
        "step_size": (1.0, "from 0.001 to 10"),
        "sigma": (0.001, "from 1e-09 to 1"),
        "threshold": (0.3, "from 0 to 1"),
    },
}
"""File -> option -> its default (None: it follows from others) and its range; beside ``QUERIES``, which each has."""
QUERIES: dict[str, tuple[float | None, str | None]] = {"queries": (None, "from 1 to 1000000000")}
