"""t-SNE of codes by scikit-learn or by openTSNE: seeded, begun with the first two principal components."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from onnxray.methods.features.parts.libraries import open_tsne, scikit_learn
from onnxray.methods.features.parts.nearest import Metric, nearest

Library = Literal["auto", "scikit-learn", "opentsne"]
Tick = Callable[[int, int], None]

_EARLY, _LATE, _EVERY = 250, 500, 25
"""Steps of openTSNE, those with early exaggeration first; and after how many it is asked how far it is."""
_PER_PERPLEXITY: Final = 3
_SEEDS: Final = 2**32


@dataclass(frozen=True, kw_only=True, eq=False)
class Points:
    """positions: (n, 2). divergence: Kullback and Leibler's, of what the library calls it. by: its name, version."""

    positions: NDArray[np.float32]
    divergence: float
    by: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What of a map is chosen. seed: any whole number; scikit-learn's ``random_state``, of which it takes 32 bits."""

    perplexity: float
    metric: Metric
    seed: int

    def by_scikit_learn(self, codes: NDArray[Any]) -> Points:
        """What ``TSNE(perplexity, metric, init="pca", random_state=seed)`` gives; of a single number "random"."""
        library = scikit_learn("maps are made")
        start = "pca" if codes.shape[1] > 1 else "random"
        made = library.manifold.TSNE(
            perplexity=self.perplexity, metric=self.metric, init=start, random_state=self.seed % _SEEDS
        )
        positions = made.fit_transform(codes)
        return Points(
            positions=np.asarray(positions, np.float32), divergence=float(made.kl_divergence_),
            by=f"scikit-learn {library.__version__}",
        )  # fmt: skip

    def by_open_tsne(self, library: Any, codes: NDArray[Any], tick: Tick) -> Points:
        """The same with the nearest found exactly, and forces interpolated (FFT)."""
        count = min(int(_PER_PERPLEXITY * self.perplexity), len(codes) - 1)
        near = nearest(codes, codes, count, self.metric, own=np.arange(len(codes)))
        index = library.nearest_neighbors.PrecomputedNeighbors(near.places, near.distances)
        affinities = library.affinity.PerplexityBasedNN(perplexity=self.perplexity, knn_index=index)
        random_state = self.seed % _SEEDS
        start = library.initialization.pca(codes, random_state=random_state)
        done = 0

        def told(*_: Any) -> None:
            nonlocal done
            done += _EVERY
            tick(min(done, _EARLY + _LATE), _EARLY + _LATE)

        made = library.TSNE(
            perplexity=self.perplexity, metric=self.metric, random_state=random_state,
            early_exaggeration_iter=_EARLY, n_iter=_LATE, callbacks=told, callbacks_every_iters=_EVERY,
        ).fit(affinities=affinities, initialization=start)  # fmt: skip
        return Points(
            positions=np.asarray(made, np.float32), divergence=float(made.kl_divergence),
            by=f"openTSNE {library.__version__}",
        )  # fmt: skip


def library_for(wanted: Library, count: int, many: int) -> Any | None:
    """openTSNE where it is to be taken: as it is wanted, else of more than ``many`` points if it is installed; None for
    scikit-learn.
    """
    return open_tsne() if wanted == "opentsne" or (wanted == "auto" and count > many) else None
