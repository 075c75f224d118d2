import math
from dataclasses import replace

import pytest
from torch import nn

from cifar_utils import data, models, training
from cifar_utils.recipe import OPTIMIZERS, Recipe, make_optimizer


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_learns_and_holds_this_model_s_parameters(
    small: data.Data, name: str
) -> None:
    lr, momentum = {"sgd": (0.05, 0.0), "nesterov": (0.05, 0.9)}.get(name, (1e-3, 0.0))
    recipe = Recipe(epochs=3, optimizer=name, lr=lr, momentum=momentum)
    model = models.build("SimpleCNN")
    optimizer = make_optimizer(model, recipe)
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.parameters()}
    history = training.fit(model, small, recipe, test=False, verbose=False).history
    assert history.train_loss.iloc[-1] < history.train_loss.iloc[0]


def test_weight_decay_falls_on_weights_only() -> None:
    model = models.build("NotSimpleCNN")
    optimizer = make_optimizer(model, Recipe(weight_decay=0.1))
    decayed = {id(p) for g in optimizer.param_groups if g["weight_decay"] for p in g["params"]}
    expected = [
        layer.weight for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    assert decayed == {id(p) for p in expected}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": -1}, "batch_size is -1"),
        ({"epochs": 2.5}, "epochs is 2.5; it must be of type int"),
        ({"lr": "fast"}, "lr is 'fast'; it must be of type float"),
        ({"lr": 0.0}, "lr is 0.0"),
        ({"lr": math.nan}, "lr is nan"),
        ({"momentum": 1.0}, "momentum is 1.0"),
        ({"weight_decay": -1.0}, "weight_decay is -1.0"),
        ({"label_smoothing": 1.5}, "label_smoothing is 1.5"),
        ({"optimizer": "adamm"}, "'adamm'; there are: sgd, nesterov, rmsprop, adam, adamw, muon"),
        ({"optimizer": "nesterov"}, "needs a momentum"),
        ({"schedule": "step"}, "'step'; there are: constant, cosine, onecycle"),
        ({"augmentation": "blur"}, "'blur'"),
    ],
)
def test_a_bad_recipe_is_named(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(Recipe(), **change)
