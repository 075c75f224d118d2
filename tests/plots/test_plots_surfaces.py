import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from plot_inputs import LIMITS, bowl

from cifar_utils import plots

SQUARE = {"xlim": (-1.0, 1.0), "ylim": (-1.0, 1.0)}


@pytest.mark.parametrize("log", [False, True])
def test_descent_paths_draw_every_step_and_leave_the_input_alone(log: bool) -> None:
    path = np.array([[-1.0, 1.0], [5.0, 5.0], [0.0, 0.0]])
    kept = path.copy()
    figure = plots.descent_paths(bowl, {"sgd": path}, title="paths", log=log, **LIMITS)
    ax, bar = figure.axes
    assert np.array_equal(ax.lines[0].get_xydata(), path) and np.array_equal(path, kept)
    assert ax.get_xlim() == LIMITS["xlim"] and ax.get_ylim() == LIMITS["ylim"]
    assert bar.get_ylabel() == ("loss (logarithmic scale)" if log else "loss")


def test_the_descent_animation_has_a_frame_a_step_and_starts_over() -> None:
    path = {"sgd": [[0.9, 0.9], [0.5, 0.8], [0.1, 0.2]], "adam": [[0.9, 0.9], [0.7, 0.7]]}
    gif = Image.open(io.BytesIO(plots.descent_animation(bowl, path, title="walks", **SQUARE)))
    assert (gif.format, gif.n_frames, gif.info["loop"]) == ("GIF", 3, 0)
    frames = []
    for step in range(3):
        gif.seek(step)
        frames.append(np.asarray(gif.convert("RGB"), dtype=int))
    assert gif.info["duration"] == 2000
    changed = [(np.abs(frames[0] - frame).max(2) > 60).sum() for frame in frames[1:]]
    assert 100 < changed[0] < changed[1] < frames[0].size / 30  # the paths grow, all else stays


ORIGIN = {"sgd": [[0.0, 0.0]]}


@pytest.mark.parametrize(
    ("surface", "paths", "options", "message"),
    [
        (bowl, {}, {}, "there are no paths"),
        (bowl, {"sgd": [1.0, 2.0]}, {}, "'sgd' is not steps×2"),
        (lambda x, y: 0 * x, ORIGIN, {}, "flat or not finite"),
        (lambda x, y: x - 9, ORIGIN, {"log": True}, "above 0"),
    ],
)
def test_descent_paths_refuse_what_they_cannot_draw(
    surface: Callable, paths: dict, options: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plots.descent_paths(surface, paths, title="bad", **SQUARE, **options)


def test_a_surface_that_gives_no_array_is_refused() -> None:
    with pytest.raises(ValueError, match="the surface gave"):
        plots.descent_paths(lambda x, y: 1.0, ORIGIN, title="bad", **SQUARE)
