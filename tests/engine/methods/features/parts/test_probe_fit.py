"""The linear probe by its formula, by scikit-learn's own fit, and unchanged by how many numbers a code has."""

import numpy as np
import pytest

from onnxray.methods.features.parts.probe_fit import fit_probe

pytest.importorskip("sklearn")


def data(count: int, wide: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    centres = random.standard_normal((classes, wide))
    return (centres[targets] + 0.8 * random.standard_normal((count, wide))) * random.uniform(0.1, 30, wide) + 5, targets


@pytest.mark.parametrize("classes", [2, 4])
def test_scores_are_those_of_scikit_learn_on_standardised_codes(classes: int) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, targets = data(80, 6, classes)
    probe = fit_probe(codes, targets, classes, 0)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=probe.strength, max_iter=2000)).fit(codes, targets)
    scores = probe.scores(codes)
    likely = np.exp(scores - scores.max(1, keepdims=True))
    np.testing.assert_allclose(likely / likely.sum(1, keepdims=True), theirs.predict_proba(codes), atol=1e-4)
    assert probe.converged


def test_the_strength_is_that_of_least_loss_on_what_is_left_out() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    codes, targets = data(60, 5, 3)
    unit = (codes - codes.mean(0)) / codes.std(0)
    losses = {}
    for power in range(-4, 5):
        model, parts = (
            LogisticRegression(C=10.0**power, max_iter=2000),
            StratifiedKFold(5, shuffle=True, random_state=7),
        )
        losses[10.0**power] = log_loss(
            targets, cross_val_predict(model, unit, targets, cv=parts, method="predict_proba")
        )
    probe = fit_probe(codes, targets, 3, 7)
    assert probe.strength == min(losses, key=lambda one: losses[one])
    assert probe.loss == pytest.approx(min(losses.values()), rel=1e-3)


def test_more_numbers_than_pictures_change_nothing() -> None:
    """A code beside which noughts stand, and the same turned: as many pictures' worth of numbers are fitted."""
    codes, targets = data(40, 8, 2)
    plain = fit_probe(codes, targets, 2, 0)
    unit = (codes - codes.mean(0)) / codes.std(0)
    wide = np.concatenate([unit] * 20, 1)
    many = fit_probe(wide, targets, 2, 0)
    assert many.weights.shape == (2, 160)
    assert (many.scores(wide).argmax(1) == targets).mean() >= 0.9
    assert many.loss is not None
    assert plain.loss is not None
    assert many.loss == pytest.approx(plain.loss, rel=0.3)


def test_a_number_that_never_changes_has_no_weight_and_one_picture_of_a_class_no_validation() -> None:
    codes, targets = data(21, 4, 2)
    codes[:, 2] = 3
    probe = fit_probe(codes, targets, 2, 0)
    np.testing.assert_allclose(probe.weights[:, 2], 0, atol=1e-9)
    np.testing.assert_allclose(probe.weights.sum(0), 0, atol=1e-9)
    targets[:] = 0
    targets[3] = 1
    alone = fit_probe(codes, targets, 2, 0)
    assert (alone.strength, alone.loss, alone.accuracy) == (1.0, None, None)
