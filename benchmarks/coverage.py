"""How often the study's intervals hold the truth, in simulated studies whose truth is known.

`python benchmarks/coverage.py --json benchmarks/coverage.json` simulates 5,000 studies of two
variants for each magnitude and number of seeds, on 10,000 test images, and counts the 95 %
intervals that hold the true accuracy or difference. The magnitudes are measured on records that
keep the predicted class of every test image. Takes under ten minutes on one core.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats

from cifar_utils import outline, records, uncertainty
from cifar_utils.files import write_whole

STUDIES, IMAGES, SEEDS = 5_000, 10_000, (3, 5, 10)
RESAMPLES = 400  # of the bootstrap
LOOKS = 1_000_000  # studies by the old rule: test at 3 seeds, and again at 5 where zero was held
LEVEL = uncertainty.CONFIDENCE
Answers = NDArray[np.bool_]  # right or wrong, seeds × images
Interval = tuple[float, float]


@dataclass(frozen=True)
class Magnitudes:
    """Where the chance of an answer comes from, in two variants a and b: a probit model.

    A seed of a variant is right on an image if a normal number lies below a threshold, by which the
    variant has its accuracy. Of the number's variance, 1, the part `image` belongs to the image, in
    both variants alike; `image_by_variant` to the image in this variant; the rest to this very
    seed and image. Besides, each seed of a variant shifts it for all images by as much as gives
    the accuracies a standard deviation of `seed`.
    """

    name: str
    accuracies: tuple[float, float]
    seed: float
    image: float
    image_by_variant: float
    measured_on: int = 0  # seeds; 0 where the magnitudes are assumed


ASSUMED = (
    Magnitudes("assumed: seeds far apart", (0.62, 0.64), 0.02, 0.55, 0.1),
    Magnitudes("assumed: seeds close together", (0.92, 0.93), 0.001, 0.75, 0.05),
)


def simulate(size: Magnitudes, n: int, random: np.random.Generator) -> tuple[Answers, Answers]:
    """The answers of one study: of both variants, n seeds on the same images."""

    def normal(variance: float, *shape: int) -> NDArray[np.float32]:
        return random.standard_normal(shape, dtype=np.float32) * np.float32(variance**0.5)

    of_image = normal(size.image, IMAGES)
    answers = []
    for accuracy in size.accuracies:
        threshold = stats.norm.ppf(accuracy)
        shift = (size.seed / stats.norm.pdf(threshold)) ** 2
        number = of_image + normal(size.image_by_variant, IMAGES) + normal(shift, n, 1)
        number = number + normal(1 - size.image - size.image_by_variant, n, IMAGES)
        answers.append(number < threshold * (1 + shift) ** 0.5)  # whose variance is 1 + shift
    return answers[0], answers[1]


class Bootstrap:
    """The naive interval: the middle 95 % of means over seeds and images drawn with replacement."""

    def __init__(self, n: int, random: np.random.Generator) -> None:
        self.seeds = random.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n
        images = random.multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), RESAMPLES)
        self.images = (images.T / IMAGES).astype(np.float32)

    def interval(self, values: NDArray[np.int8]) -> Interval:
        """Of the mean of values, seeds × images."""
        by_seed = values.astype(np.float32) @ self.images
        means = (self.seeds * by_seed.T).sum(1)
        low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


def of_seeds(values: NDArray[np.int8]) -> Interval:
    """Student's interval of the mean over seeds, as if there were no other images."""
    by_seed = values.mean(1)
    half = stats.t.ppf((1 + LEVEL) / 2, len(values) - 1) * stats.sem(by_seed)
    return float(by_seed.mean() - half), float(by_seed.mean() + half)


def satterthwaite(found: uncertainty.Estimate, n: int) -> Interval:
    """The interval of an estimate by Satterthwaite's degrees of freedom, which are more."""
    error = (found.seeds + found.images) ** 0.5
    freedom = (n - 1) * (error**2 / found.seeds) ** 2 if found.seeds else np.inf
    half = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return found.mean - half, found.mean + half


def held(size: Magnitudes, n: int, studies: int, random: np.random.Generator) -> dict[str, float]:
    """The share of the studies in which each method's interval holds the truth."""
    bootstrap = Bootstrap(n, random)
    a, b = size.accuracies
    hits: dict[str, list[bool]] = {}
    for _ in range(studies):
        right_a, right_b = simulate(size, n, random)
        difference = right_b.astype(np.int8) - right_a.astype(np.int8)
        exact, alone = uncertainty.crossed(difference), uncertainty.crossed(right_b.view(np.int8))
        bound = uncertainty.of_accuracies(right_b.mean(1).tolist(), IMAGES)
        for method, (low, high), truth in (
            ("difference: seeds alone", of_seeds(difference), b - a),
            ("difference: bootstrap", bootstrap.interval(difference), b - a),
            ("difference: Satterthwaite", satterthwaite(exact, n), b - a),
            ("difference: crossed", (exact.low, exact.high), b - a),
            ("accuracy: crossed", (alone.low, alone.high), b),
            ("accuracy: bound", (bound.low, bound.high), b),
        ):
            hits.setdefault(method, []).append(low <= truth <= high)
    return {method: float(np.mean(each)) for method, each in hits.items()}


def measure(name: str, a: Answers, b: Answers) -> Magnitudes:
    """The magnitudes behind the answers of two variants."""
    accuracies = float(a.mean()), float(b.mean())
    joint = float((a.mean(0) * b.mean(0)).mean())  # right in both: over all pairs of their seeds
    between = correlation(joint, *accuracies)
    within = np.mean([correlation(_right_twice(each), each.mean(), each.mean()) for each in (a, b)])
    variances = []
    for each in (a, b):
        of_seed, _, rest = uncertainty.mean_squares(each)
        variances.append(max(0.0, (of_seed - rest) / each.shape[1]))
    seed = float(np.mean(variances) ** 0.5)
    return Magnitudes(name, accuracies, seed, between, max(0.0, float(within) - between), len(a))


def _right_twice(right: Answers) -> float:
    """The share of right answers, to an image, in both of two different seeds of a variant."""
    n, count = len(right), right.sum(0)
    return float((count * (count - 1) / (n * (n - 1))).mean())


def correlation(joint: float, p: float, q: float) -> float:
    """The correlation of two normal numbers below their thresholds with chances p, q, and both."""
    thresholds = [stats.norm.ppf(p), stats.norm.ppf(q)]

    def excess(rho: float) -> float:
        below = stats.multivariate_normal.cdf(thresholds, cov=[[1, rho], [rho, 1]])
        return float(below) - joint

    return float(optimize.brentq(excess, 0, 0.999))


def measured(folder: Path) -> list[Magnitudes]:
    """Of the primary comparisons whose records keep predictions: of the least, middle and most
    spread over seeds, one each.
    """
    frame = records.all_evidence(folder)
    full = frame[(frame.profile == "full") & frame.accuracy.notna()]
    found = []
    for section in outline.SECTIONS:
        runs = full[full.notebook == section.notebook]
        for a, b in section.primary:
            both = [runs[runs.variant == variant].sort_values("seed") for variant in (a, b)]
            seeds = set(both[0].seed) & set(both[1].seed)
            both = [each[each.seed.isin(seeds)] for each in both]
            if len(seeds) > 1 and all(map(uncertainty.has_predictions, both)):
                name = f"{section.notebook[:2]}: {b} − {a}"
                found.append(measure(name, *map(uncertainty.right, both)))
    found.sort(key=lambda each: each.seed)
    return [found[place] for place in sorted({0, len(found) // 2, len(found) - 1})] if found else []


def two_looks(studies: int, random: np.random.Generator) -> float:
    """How often the old rule claims a difference where there is none: a test at 3 seeds, and one
    more at 5 where the first held zero.
    """
    differences = random.standard_normal((studies, 5))
    claimed = np.zeros(studies, dtype=bool)
    for n in (3, 5):
        some = differences[:, :n]
        t = some.mean(1) / (some.std(1, ddof=1) / n**0.5)
        claimed |= np.abs(t) > stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return float(claimed.mean())


def simulations(sizes: list[Magnitudes], studies: int, seed: int) -> Iterator[dict[str, object]]:
    """A row for each magnitude, number of seeds and method."""
    for size in sizes:
        for n in SEEDS:
            shares = held(size, n, studies, np.random.default_rng([seed, n]))
            for method, share in shares.items():
                yield {"magnitudes": size.name, "n": n, "method": method, "held": share}


@click.command()
@click.option("--studies", default=STUDIES, show_default=True, help="For each magnitude and n.")
@click.option("--seed", default=0, show_default=True, help="Of the simulation.")
@click.option(
    "--records", "folder", type=click.Path(exists=True, path_type=Path), default=records.EVIDENCE,
    help="Where the magnitudes are measured.  [default: results/]",
)  # fmt: skip
@click.option(
    "--json", "json_path", type=click.Path(path_type=Path), help="Write the figures here."
)
def main(studies: int, seed: int, folder: Path, json_path: Path | None) -> None:
    """Print how often each 95 % interval holds the truth, and how often the old rule errs."""
    sizes = [*measured(folder), *ASSUMED]
    errors = two_looks(LOOKS, np.random.default_rng(seed))
    rows = list(simulations(sizes, studies, seed))
    table = pd.DataFrame(rows).pivot(index=["magnitudes", "method"], columns="n", values="held")
    for size in sizes:
        click.echo(size)
    click.echo((100 * table).round(1).to_string())
    click.echo(f"testing at n = 3, then at n = 5 where zero was held, errs in {errors:.2%}")
    if json_path:
        told = {
            "studies": studies,
            "images": IMAGES,
            "magnitudes": [asdict(each) for each in sizes],
            "coverage": rows,
            "two_looks": {"studies": LOOKS, "errors": errors},
        }
        text = json.dumps(told, indent=1, ensure_ascii=False) + "\n"
        write_whole(json_path, lambda beside: beside.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
