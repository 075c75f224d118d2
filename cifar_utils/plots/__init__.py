"""Every figure of the study, drawn with matplotlib and seaborn, one module a subject.

Each function returns the Figure, which the caller shows, saves and closes; an animation comes as
a GIF's bytes. Images are uint8 or floats in [0, 1]; losses come in nats and accuracies as
fractions, drawn in percent. A variant has one colour and one marker (or hatch), by its place in
the order given; what cannot be drawn raises ValueError.
"""

from cifar_utils.plots.classes import (
    confusion_matrix,
    reliability_diagram,
)
from cifar_utils.plots.comparisons import against_size, comparison, differences, sweep
from cifar_utils.plots.curves import (
    learning_curves,
    loss_against_loss,
    loss_against_step,
)
from cifar_utils.plots.images import augmentations, enlarged, mistakes, saliency, samples
from cifar_utils.plots.networks import (
    activation_histograms,
    feature_maps,
    filters,
    response,
    shape_walk,
)
from cifar_utils.plots.style import colours, use_style
from cifar_utils.plots.surfaces import descent_animation, descent_paths

__all__ = [
    "activation_histograms",
    "against_size",
    "augmentations",
    "colours",
    "comparison",
    "confusion_matrix",
    "descent_animation",
    "descent_paths",
    "differences",
    "feature_maps",
    "filters",
    "learning_curves",
    "loss_against_loss",
    "loss_against_step",
    "mistakes",
    "enlarged",
    "reliability_diagram",
    "response",
    "saliency",
    "samples",
    "shape_walk",
    "sweep",
    "use_style",
]
