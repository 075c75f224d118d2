import contextlib
import io
import re

import pytest
import torch
import torch.nn.functional as F
import torchinfo
from torch import nn

from cifar_utils import models

PARAMETERS = {"SimpleCNN": 52_202, "NotSimpleCNN": 288_778, "PoolingCNN": 532_298,
              "DropoutCNN": 62_006, "FinalCNN": 288_778, "PlainCNN": 286_602}  # fmt: skip


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameter_counts_are_the_original_report_s(name: str, parameters: int) -> None:
    model = models.build(name)
    assert models.count_parameters(model) == parameters
    assert models.layer_table(model).parameters.sum() == parameters
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("pool", "parameters"),
    [("max", 532_298), ("average", 532_298), ("strided", 537_466), ("global", 16_202)],
)
def test_poolings_halve_or_average_the_maps(pool: str, parameters: int) -> None:
    model, reference = (models.build("PoolingCNN", pool=kind) for kind in (pool, "max"))
    assert torch.equal(model.conv2.weight, reference.conv2.weight)
    table = models.layer_table(model)
    last = "[-1, 32, 1, 1]" if pool == "global" else "[-1, 32, 8, 8]"
    assert table.parameters.sum() == parameters
    assert table["output shape"].iloc[[2, 5]].tolist() == ["[-1, 16, 16, 16]", last]


def test_layer_table_of_simple_cnn_is_torchsummary_s_of_the_report() -> None:
    table = models.layer_table(models.build("SimpleCNN"))
    assert [tuple(row)[:3] for row in table.itertuples(index=False)] == [
        ("Conv2d-1", "[-1, 6, 28, 28]", 456),
        ("MaxPool2d-2", "[-1, 6, 14, 14]", 0),
        ("Conv2d-3", "[-1, 16, 10, 10]", 2416),
        ("MaxPool2d-4", "[-1, 16, 5, 5]", 0),
        ("Linear-5", "[-1, 120]", 48120),
        ("Linear-6", "[-1, 10]", 1210),
    ]


@pytest.mark.parametrize("name", PARAMETERS)
def test_layer_table_agrees_with_torchinfo(name: str) -> None:
    model = models.build(name)
    table = models.layer_table(model)
    infos = [
        info
        for info in torchinfo.summary(model, (1, 3, 32, 32), verbose=0).summary_list
        if info.is_leaf_layer
    ]
    assert [info.class_name for info in infos] == [x.split("-")[0] for x in table.layer]
    assert [str([-1, *info.output_size[1:]]) for info in infos] == list(table["output shape"])
    assert [info.num_params for info in infos] == table.parameters.tolist()
    counted = [i for i, x in enumerate(table.layer) if x.startswith(("Conv2d", "Linear"))]
    # torchinfo counts the bias's additions as multiply-adds, once an output element or unit
    for i in counted:
        biases = 0 if infos[i].module.bias is None else infos[i].module.bias.numel()
        places = infos[i].output_size[-1] ** 2 if "Conv" in table.layer[i] else 1
        assert infos[i].macs - biases * places == table.multiply_adds[i]


@pytest.mark.parametrize("name", PARAMETERS)
def test_torchsummary_prints_the_same_and_changes_nothing(name: str) -> None:
    model = models.build(name)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        models.print_torchsummary(model)
    for row in models.layer_table(model).itertuples():
        assert row.layer in printed.getvalue()
    assert model.training and torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())


def test_max_pooling_before_relu_is_the_same_function() -> None:
    model = models.build("NotSimpleCNN").eval()
    images = torch.randn(4, 3, 32, 32)
    x = images
    for i in range(0, 9, 3):
        conv, norm, pool = model.blocks[i : i + 3]
        x = pool(torch.relu(norm(conv(x))))
    expected = model.fc2(torch.relu(model.fc1(x.flatten(1))))
    torch.testing.assert_close(model(images), expected)


def test_feature_maps_are_the_layers_outputs_in_order() -> None:
    model = models.build("SimpleCNN")
    images = torch.randn(2, 3, 32, 32)
    maps = models.feature_maps(model, images)
    assert list(maps) == models.layer_table(model).layer.tolist()
    torch.testing.assert_close(maps["Conv2d-1"], model.conv1(images))
    torch.testing.assert_close(maps["Linear-6"], model(images))
    assert model.training


def test_initial_weights_follow_the_seed_and_leave_the_random_state() -> None:
    before = torch.get_rng_state()
    first, again, other = (models.build("SimpleCNN", seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_options() -> None:
    assert isinstance(models.build("PoolingCNN", pool="average").pool1, nn.AvgPool2d)
    assert isinstance(models.build("PoolingCNN").pool1, nn.MaxPool2d)
    assert models.build("DropoutCNN", p=0.3).dropout.p == 0.3
    plain = models.build("NotSimpleCNN", batchnorm=False)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in plain.modules())
    assert models.count_parameters(plain) == 288_778 - 2 * (16 + 32 + 64)


def test_a_permuted_batch_gives_permuted_logits() -> None:
    images, order = torch.randn(6, 3, 32, 32), torch.randperm(6)
    for name in PARAMETERS:
        model = models.build(name).eval()
        torch.testing.assert_close(model(images[order]), model(images)[order])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ResNet", {}, "'ResNet'; there are: SimpleCNN, NotSimpleCNN"),
        ("PoolingCNN", {"pool": "min"}, "'min'; there are: max, average"),
        ("DropoutCNN", {"p": 1.5}, "p is 1.5"),
        ("SimpleCNN", {"depth": 3}, "SimpleCNN does not take"),
    ],
)
def test_bad_input_is_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        models.build(name, **options)


def test_whitening_gives_uncorrelated_outputs_and_their_negatives() -> None:
    network, generator = models.build("FastCNN"), torch.Generator().manual_seed(0)
    mixed = torch.rand(400, 1, 33, 33, generator=generator)  # one grey pattern in three colours
    noise = torch.rand(400, 3, 33, 33, generator=generator)
    images = mixed + 0.3 * noise
    models.whiten(network.whitening, images)
    outputs = F.conv2d(images, network.whitening.weight)  # the layer's bias is left out
    assert torch.equal(outputs[:, 12:], -outputs[:, :12])
    covariance = torch.cov(outputs[:, :12].transpose(0, 1).flatten(1))
    assert torch.allclose(covariance, torch.eye(12), atol=0.1)


def test_the_fast_network_s_whitening_is_not_trained_and_its_convolutions_begin_as_copies() -> None:
    network = models.build("FastCNN")
    assert not network.whitening.weight.requires_grad
    assert models.count_parameters(network) == 1_971_352
    maps = torch.rand(2, 24, 8, 8)
    first = network.blocks[1]
    assert torch.equal(first(maps)[:, :24], maps)


@pytest.mark.parametrize(
    ("name", "options"),
    [("SimpleCNN", {}), ("NotSimpleCNN", {}), ("PoolingCNN", {"pool": "strided"}),
     ("PoolingCNN", {"pool": "global"})],
)  # fmt: skip
def test_a_receptive_field_is_where_a_gradient_arrives(name: str, options: dict) -> None:
    """Of one unit of each convolution and pooling, in a network whose weights all add."""
    model = models.build(name, **options).eval()
    outputs = []
    for parameter in model.parameters():
        nn.init.ones_(parameter)
    for layer in model.modules():
        if isinstance(layer, nn.MaxPool2d):  # its gradient would go to one place of a window
            layer.forward = lambda maps, size=layer.kernel_size: F.avg_pool2d(maps, size)
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
            layer.register_forward_hook(lambda _, __, output: outputs.append(output))
    table = models.receptive_field(model)
    outputs.clear()
    image = torch.ones(1, 3, 32, 32, requires_grad=True)
    model(image)
    assert len(table) == len(outputs)
    for row, output in zip(table.itertuples(), outputs, strict=True):
        unit = output.shape[3] // 2
        (gradient,) = torch.autograd.grad(output[0, 0, unit, unit], image, retain_graph=True)
        seen = gradient[0, 0].sum(0).nonzero().flatten().tolist()
        start = row.start + unit * row.step
        assert seen == [place for place in range(start, start + row.field) if 0 <= place < 32]
    assert list(table.layer) == [
        name for name in models.layer_table(model).layer if re.match("Conv|MaxPool|AvgPool", name)
    ]
