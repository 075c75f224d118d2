"""The study's outline: notebooks, variants, seeds, what is compared, what of it is primary."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Question:
    """Comparisons of a notebook's variants: (a, b, what one expects of b: 1 higher, −1 lower, 0).

    `gaps` are the variants whose over-fitting is reported too.
    """

    key: str
    pairs: tuple[tuple[str, str, int], ...]
    gaps: tuple[str, ...] = ()

    @property
    def variants(self) -> set[str]:
        """All that are compared."""
        return {variant for a, b, _ in self.pairs for variant in (a, b)}


@dataclass(frozen=True)
class Section:
    """A notebook's part of the results page; variants in the order of its tables.

    `seeds` is how many runs each variant gets, with the seeds 0, 1, …: fixed before anything is
    looked at, and the same for all of them but `FEWER_SEEDS`. `primary` are the comparisons (a, b)
    that answer the notebook's question; all others are exploratory.
    """

    notebook: str
    variants: tuple[str, ...]
    questions: tuple[Question, ...]
    images: tuple[str, ...]
    seeds: int = 5
    primary: tuple[tuple[str, str], ...] = ()


def _against(a: str, *others: tuple[str, int]) -> tuple[tuple[str, str, int], ...]:
    return tuple((a, b, expected) for b, expected in others)


PARTS = (
    "SimpleCNN instead", "no BatchNorm", "average pooling", "dropout 0.5", "pixels by 0.5",
    "no augmentation", "no label smoothing", "no weight decay", "no momentum",
    "Nesterov instead", "constant rate, a tenth", "Adam, constant rate",
)  # fmt: skip
BESIDE = ("nothing", "ablation", "all")  # what notebook 07 trains beside FinalCNN
ASKED_ALONE = ("average pooling", "Nesterov instead")  # parts with a question of their own
MOVES = ("flip", "crop", "crop + flip", "rotation", "cutout", "all four")
RIVALS = ("none", "dropout p = 0.5", "crop + flip", "dropout, crop + flip")
IN_EVALUATION, NEVER_OFF = "NotSimpleCNN, left in evaluation mode", "p = 0.5, never off"
SHAKEN = "crop + flip, augmented test"
PLAIN, HALF = "SimpleCNN, pixels 0 to 1", "SimpleCNN, mean and std 0.5"
BARE = "NotSimpleCNN without BatchNorm"
FEWER_SEEDS = {("07_final", "PlainCNN"): 3}

SECTIONS = (
    Section(
        "01_baseline",
        ("SimpleCNN", "corrected"),
        (Question("recipe", (("SimpleCNN", "corrected", 1),), ("SimpleCNN", "corrected")),),
        ("samples.png", "CIFAR-10_bird.png", "CIFAR-10_ship.png", "SimpleCNN.png"),
        primary=(("SimpleCNN", "corrected"),),
    ),
    Section(
        "02_deeper_batchnorm",
        ("SimpleCNN", "NotSimpleCNN", BARE, PLAIN, HALF, IN_EVALUATION),
        (
            Question("depth", _against("SimpleCNN", (BARE, 1), ("NotSimpleCNN", 1))),
            Question("batchnorm", ((BARE, "NotSimpleCNN", 1),)),
            Question("normalisation", ((PLAIN, "SimpleCNN", 1), (HALF, "SimpleCNN", 0))),
        ),
        ("NotSimpleCNN.png", "normalisation.png"),
        primary=(("SimpleCNN", BARE), (BARE, "NotSimpleCNN")),
    ),
    Section(
        "03_pooling",
        ("max", "average", "strided", "global"),
        (Question("pooling", _against("max", ("average", 0), ("strided", 0), ("global", 0))),),
        ("PoolingCNN.png",),
        primary=(("max", "average"), ("max", "strided")),
    ),
    Section(
        "04_optimizers",
        ("SGD", "SGD + momentum", "RMSprop", "Adam", "AdamW"),
        (
            Question(
                "optimizer",
                (
                    ("SGD", "SGD + momentum", 1),
                    *_against("Adam", ("SGD + momentum", 0), ("RMSprop", 0), ("AdamW", 0)),
                ),
            ),
        ),
        ("optimizers.png", "descent.gif"),
        primary=(("SGD", "SGD + momentum"), ("Adam", "SGD + momentum")),
    ),
    Section(
        "05_dropout",
        ("p = 0", "p = 0.2", "p = 0.5", "p = 0.8", NEVER_OFF),
        (
            Question(
                "dropout",
                _against("p = 0", ("p = 0.2", 1), ("p = 0.5", 1), ("p = 0.8", -1)),
                ("p = 0", "p = 0.2", "p = 0.5", "p = 0.8"),
            ),
        ),
        ("dropout.png",),
        primary=(("p = 0", "p = 0.5"),),
    ),
    Section(
        "06_augmentation",
        ("none", *MOVES, "dropout p = 0.5", "dropout, crop + flip", SHAKEN),
        (
            Question("augmentation", _against("none", *((move, 1) for move in MOVES))),
            Question(
                "against",
                (
                    ("none", "dropout p = 0.5", 1),
                    ("dropout p = 0.5", "crop + flip", 0),
                    ("crop + flip", "dropout, crop + flip", 0),
                ),
                RIVALS,
            ),
        ),
        ("CNN.png", "dropout_augmentation.png", "sizes.png"),
        primary=(("none", "crop + flip"), ("dropout p = 0.5", "crop + flip")),
    ),
    Section(
        "07_final",
        ("FinalCNN", "PlainCNN", *PARTS),
        (
            Question("target", (("FinalCNN", "PlainCNN", 1),)),
            Question("muon", (("Nesterov instead", "FinalCNN", 1),)),
            Question("average", (("FinalCNN", "average pooling", 0),)),
            Question(
                "ablation",
                _against("FinalCNN", *((part, -1) for part in PARTS if part not in ASKED_ALONE)),
            ),
        ),
        ("final.png", "ablation.png", "confusion_matrix.png"),
        primary=(("FinalCNN", "PlainCNN"), ("Nesterov instead", "FinalCNN")),
    ),
)

NETWORKS = (
    ("01_baseline", "SimpleCNN"),
    ("02_deeper_batchnorm", "NotSimpleCNN"),
    ("03_pooling", "max"),
    ("03_pooling", "average"),
    ("05_dropout", "p = 0.5"),
    ("06_augmentation", "crop + flip"),
    ("07_final", "FinalCNN"),
    ("07_final", "PlainCNN"),
)


def declared_seeds(notebook: str, variant: str) -> int:
    """How many runs a variant gets.

    Raises:
        ValueError: a notebook that the outline does not have.
    """
    for section in SECTIONS:
        if section.notebook == notebook:
            return FEWER_SEEDS.get((notebook, variant), section.seeds)
    raise ValueError(f"the outline has no notebook {notebook!r}")


def in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Records in the outline's order of notebooks and variants; others behind theirs, by name."""
    places = {(each.notebook, variant): place for each in SECTIONS
              for place, variant in enumerate(each.variants)}  # fmt: skip
    pairs = zip(frame.notebook, frame.variant, strict=True)
    place = [places.get(pair, len(places)) for pair in pairs]
    by = ["notebook", "place", "variant", "train_size", "seed"]
    return frame.assign(place=place).sort_values(by, ignore_index=True).drop(columns="place")
