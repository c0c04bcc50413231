"""Fields of profiles that tests change one by one."""

from typing import Any

PLAIN: dict[str, Any] = {
    "name": "plain",
    "layout": "NCHW",
    "channels": "RGB",
    "scale": 1.0,
    "mean": (0.0, 0.0, 0.0),
    "std": (1.0, 1.0, 1.0),
    "size": (4, 5),
}
