import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from cifar_utils import data, metrics


def case(count: int = 500, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, count)
    logits = random.normal(size=(count, classes)) + 1.5 * np.eye(classes)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_scores_equal_formulas_by_hand() -> None:
    labels, probabilities = case()
    predictions = np.array([max(range(10), key=row.__getitem__) for row in probabilities])
    counts = np.zeros((10, 10))
    for true, predicted in zip(labels, predictions, strict=True):
        counts[true, predicted] += 1
    hits = np.diag(counts)
    precision, recall = hits / counts.sum(0), hits / counts.sum(1)
    n, c, p, t = counts.sum(), hits.sum(), counts.sum(0), counts.sum(1)
    expected = {
        "accuracy": c / n,
        "precision": precision.mean(),
        "recall": recall.mean(),
        "f1": (2 * precision * recall / (precision + recall)).mean(),
        "mcc": (c * n - p @ t) / np.sqrt((n**2 - p @ p) * (n**2 - t @ t)),
        "roc_auc": np.mean(
            [
                np.mean(
                    probabilities[labels == k, k][:, None] > probabilities[labels != k, k][None]
                )
                for k in range(10)
            ]
        ),
    }
    found = metrics.scores(labels, probabilities)
    assert set(found) == set(metrics.NAMES)
    assert found == pytest.approx(expected, abs=1e-12)


def test_scores_take_tensors_and_do_not_care_about_order() -> None:
    labels, probabilities = case()
    order = np.random.default_rng(1).permutation(len(labels))
    shuffled = metrics.scores(torch.tensor(labels[order]), torch.tensor(probabilities[order]))
    assert shuffled == pytest.approx(metrics.scores(labels, probabilities))


def test_per_class_rows_are_binary_problems_and_average_to_the_scores() -> None:
    labels, probabilities = case()
    table = metrics.per_class(labels, probabilities, data.CLASSES)
    total = metrics.scores(labels, probabilities)
    for name in ("precision", "recall", "f1", "roc_auc"):
        assert table[name].mean() == pytest.approx(total[name])
    assert table.support.sum() == len(labels)
    assert table.roc_auc["cat"] == pytest.approx(roc_auc_score(labels == 3, probabilities[:, 3]))
    assert table.recall["ship"] == np.mean(probabilities[labels == 8].argmax(1) == 8)


def test_confusion_has_true_rows_and_predicted_columns() -> None:
    found = metrics.confusion([0, 0, 1], [0, 2, 1], classes=3)
    assert found.tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]


def test_a_class_never_predicted_counts_as_precision_0() -> None:
    labels = np.arange(10)
    probabilities = np.full((10, 10), 0.05) + 0.5 * np.eye(10)[0]
    found = metrics.scores(labels, probabilities)
    assert found["accuracy"] == 0.1 and found["precision"] == pytest.approx(0.01)
    assert found["mcc"] == 0 and found["roc_auc"] == 0.5


def test_bad_input_is_named() -> None:
    labels, probabilities = case()
    with pytest.raises(ValueError, match="do not fit"):
        metrics.scores(labels[:-1], probabilities)
    with pytest.raises(ValueError, match=r"class \[9\].*more images"):
        metrics.scores(labels[labels != 9], probabilities[labels != 9])


def test_expected_calibration_error_equals_the_formula_by_hand() -> None:
    labels, probabilities = case()
    bins, by_hand = 15, 0.0
    for m in range(1, bins + 1):
        inside = [
            (max(row), float(row.argmax() == label))
            for row, label in zip(probabilities, labels, strict=True)
            if (m - 1) / bins < max(row) <= m / bins
        ]
        if inside:
            confidence, right = np.mean(inside, axis=0)
            by_hand += len(inside) / len(labels) * abs(right - confidence)
    assert by_hand > 0.01
    found = metrics.expected_calibration_error(labels, probabilities)
    assert found == pytest.approx(by_hand, abs=1e-12)


def test_reliability_puts_an_edge_into_the_bin_below_and_keeps_empty_bins() -> None:
    probabilities = [[0.5, 0.5], [0.4, 0.6], [0.2, 0.8], [0.0, 1.0]]
    table = metrics.reliability([0, 1, 0, 1], probabilities, bins=4)
    assert table["count"].tolist() == [0, 1, 1, 2]
    assert table.confidence.tolist()[1:] == pytest.approx([0.5, 0.6, 0.9])
    assert table.accuracy.tolist()[1:] == [1, 1, 0.5] and np.isnan(table.accuracy[1])
    found = metrics.expected_calibration_error([0, 1, 0, 1], probabilities, bins=4)
    assert found == pytest.approx((0.5 + 0.4 + 2 * 0.4) / 4)


def test_a_coin_that_knows_it_is_a_coin_is_calibrated_and_a_sure_one_is_not() -> None:
    labels = np.array([0, 1] * 50)
    honest, sure = np.tile([0.5, 0.5], (100, 1)), np.tile([1.0, 0.0], (100, 1))
    assert metrics.expected_calibration_error(labels, honest) == 0
    assert metrics.expected_calibration_error(torch.tensor(labels), torch.tensor(sure)) == 0.5


@pytest.mark.parametrize(
    ("labels", "probabilities", "bins", "message"),
    [
        ([0], [[0.5, 0.5]] * 2, 15, "do not fit"),
        ([0], [[0.5, 0.5]], 0, "0 bins"),
        ([], np.zeros((0, 2)), 15, "0 images"),
        ([0], [[2.0, -1.0]], 15, "softmax"),
        ([0], [[np.nan, 0.5]], 15, "softmax"),
    ],
)
def test_reliability_refuses(labels: list, probabilities: list, bins: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.reliability(labels, probabilities, bins)
