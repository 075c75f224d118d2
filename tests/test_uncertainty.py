from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from cifar_utils import data, metrics, official, records, uncertainty


def runs_of(predicted: list[str], variant: str = "a") -> pd.DataFrame:
    rows = [{"variant": variant, "seed": seed, "predicted": digits, "accuracy": 0.5,
             "confusion": [[1]]} for seed, digits in enumerate(predicted)]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The classes of forty images, in place of CIFAR-10's 10,000."""
    digits = "0123456789" * 4
    (tmp_path / "labels.txt").write_text(digits + "\n")
    monkeypatch.setattr(uncertainty.right, "__defaults__", (tmp_path / "labels.txt",))
    return digits


def test_mean_squares_are_those_of_a_table_worked_out_by_hand() -> None:
    # rows' means 2 and 4, columns' means 1, 3, 5, mean 3; what is left is 1, −1, 0 and its opposite
    values = np.array([[1.0, 1.0, 4.0], [1.0, 5.0, 6.0]])
    # 3·(1 + 1) / 1, 2·(4 + 0 + 4) / 2, (1 + 1 + 0 + 1 + 1 + 0) / 2
    assert uncertainty.mean_squares(values) == pytest.approx((6, 8, 2))


def test_the_variance_and_the_freedom_are_those_of_the_formula() -> None:
    random = np.random.default_rng(3)
    n, m = 4, 300
    values = random.normal(size=(n, 1)) / 20 + random.normal(size=m) + random.normal(size=(n, m))
    rows, columns = values.mean(1, keepdims=True), values.mean(0)
    rest = (values - rows - columns + values.mean()).ravel()
    of_rest = rest @ rest / ((n - 1) * (m - 1))
    of_images = np.var(columns, ddof=1) / m - of_rest / (n * m)
    of_seeds = np.var(rows, ddof=1) / n
    found = uncertainty.crossed(values)
    parts = (values.mean(), of_seeds, of_images)
    assert (found.mean, found.seeds, found.images) == pytest.approx(parts)
    freedom, error = (n - 1) * (1 + of_images / of_seeds) ** 1.5, (of_seeds + of_images) ** 0.5
    assert n - 1 < freedom < m - 1 and found.freedom == pytest.approx(freedom)
    low, high = stats.t.interval(0.95, freedom, values.mean(), error)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(values.mean()) / error, freedom))


def test_where_images_add_nothing_it_is_student_s_interval_over_seeds() -> None:
    by_seed = np.array([0.01, 0.03, -0.01, 0.02])
    # a seed's mean on all images, and what is left sums to zero over seeds: no image stands out
    rest = np.array([[1, -1], [-1, 1], [1, -1], [-1, 1]])
    found = uncertainty.crossed(by_seed[:, None] + np.tile(rest, 50))
    low, high = stats.t.interval(0.95, 3, by_seed.mean(), stats.sem(by_seed))
    assert (found.low, found.high, found.images) == pytest.approx((low, high, 0))


def test_where_seeds_agree_it_is_the_interval_over_images() -> None:
    right = np.tile(np.random.default_rng(0).random(400) < 0.8, (5, 1)).astype(np.int8)
    found = uncertainty.crossed(right)
    error = right[0].std(ddof=1) / 20
    assert found.seeds == 0
    assert found.images == pytest.approx(error**2)
    assert found.freedom == pytest.approx(399)


def test_the_order_of_seeds_and_images_is_nothing_to_it() -> None:
    random = np.random.default_rng(1)
    values = random.integers(-1, 2, (6, 50))
    one = uncertainty.crossed(values)
    other = uncertainty.crossed(values[random.permutation(6)][:, random.permutation(50)])
    assert vars(one) == pytest.approx(vars(other))
    turned = uncertainty.crossed(-values)
    assert (turned.low, turned.high, turned.p) == pytest.approx((-one.high, -one.low, one.p))


@pytest.mark.parametrize("shape", [(1, 10), (5, 1)])
def test_one_seed_or_one_image_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="an interval needs two of each"):
        uncertainty.crossed(np.zeros(shape))


def test_without_predictions_the_interval_is_wider_than_with_them() -> None:
    random = np.random.default_rng(2)
    hard = random.normal(size=1000)
    right = hard + random.normal(size=(5, 1000)) + random.normal(size=(5, 1)) / 50 < 1
    exact = uncertainty.crossed(right.astype(np.int8))
    bound = uncertainty.of_accuracies(right.mean(1).tolist(), 1000)
    assert bound.mean == pytest.approx(exact.mean)
    assert bound.low < exact.low < exact.high < bound.high
    assert bound.images == pytest.approx(exact.mean * (1 - exact.mean) / 1000)
    with pytest.raises(ValueError, match="there is 1 seed"):
        uncertainty.of_accuracies([0.5], 1000)


def test_a_difference_is_paired_by_seed_and_image(labels: str) -> None:
    wrong = labels.translate(str.maketrans("0123456789", "1234567890"))
    a = runs_of([wrong[:n] + labels[n:] for n in (4, 10, 8)])
    b = runs_of([wrong[:n] + labels[n:] for n in (2, 6, 2)])
    found = uncertainty.of_difference(a.sample(frac=1, random_state=0), b)
    expected = np.zeros((3, 40))
    for seed, (fewest, most) in enumerate(((2, 4), (6, 10), (2, 8))):
        expected[seed, fewest:most] = 1  # right in b alone
    assert vars(found) == pytest.approx(vars(uncertainty.crossed(expected)))
    with pytest.raises(ValueError, match=r"seeds \[0, 1, 2\] and \[0, 1\] can't be paired"):
        uncertainty.of_difference(a, b[:2])


def test_records_without_predictions_give_no_difference_and_a_bound(labels: str) -> None:
    a, b = runs_of([labels] * 3), runs_of([labels] * 3)
    b.loc[1, "predicted"] = None
    assert uncertainty.of_difference(a, b) is None
    b = b.assign(accuracy=[0.5, 0.6, 0.7], confusion=[[[5, 5], [4, 6]]] * 3)
    bound = uncertainty.of_accuracies([0.5, 0.6, 0.7], 20)
    assert uncertainty.of_network(b) == bound
    a.loc[0, "predicted"] = labels[:-1] + "0"
    assert uncertainty.of_network(a).mean == pytest.approx(1 - 1 / 120)


def test_predictions_of_other_images_are_refused(labels: str) -> None:
    with pytest.raises(ValueError, match=r"a, seed 1, predicts 39 images; labels.txt has .* 40"):
        uncertainty.right(runs_of([labels, labels[1:]]))


def test_the_kept_labels_are_those_of_the_records() -> None:
    truth = np.array([int(digit) for digit in uncertainty.LABELS.read_text().strip()])
    assert np.bincount(truth).tolist() == [1000] * 10
    for path, record in records.read_all(records.EVIDENCE).items():
        if record.get("predicted") and record["variant"] != "crop + flip, augmented test":
            predicted = np.array([int(digit) for digit in record["predicted"]])
            assert metrics.confusion(truth, predicted, 10).tolist() == record["confusion"], path


def test_the_kept_labels_are_cifar_10_s() -> None:
    """The sample holds the first hundred test images of each class; in order, where all are."""
    truth = uncertainty.LABELS.read_text().strip()
    try:
        test = data.Split(*official.read(data.locate("cifar10"))[1])
    except FileNotFoundError:
        pytest.skip("CIFAR-10 is not on this disk")
    assert truth == "".join(map(str, test.labels.tolist()))
