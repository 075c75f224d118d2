"""What a trained network says of a split: logits, loss and accuracy, probabilities of six views."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cifar_utils.data import Data, Split, batches
from cifar_utils.models import evaluating


def predict(
    model: nn.Module,
    split: Split,
    data: Data,
    batch_size: int = 200,
    mirrored: bool = False,
    shift: int = 0,
) -> Tensor:
    """Logits float32 N×C on the CPU, in evaluation mode, without gradients.

    `mirrored` asks for those of the mirror images; `shift` for those of the images moved by so
    many pixels down and to the right (below 0: up and to the left), the border filled by
    reflection.
    """
    device = next(model.parameters()).device
    with torch.inference_mode(), evaluating(model):
        logits = []
        here = Split(split.images.to(device), split.labels)  # in one copy, not one a batch
        for images, _ in batches(here, batch_size):
            inputs = data.normalise(images)
            if shift:
                padded = F.pad(inputs, [abs(shift)] * 4, mode="reflect")
                start, (height, width) = abs(shift) - shift, inputs.shape[2:]
                inputs = padded[:, :, start : start + height, start : start + width]
            logits.append(model(inputs.flip(3) if mirrored else inputs).float())
    return torch.cat(logits).cpu()


def predict_six_views(model: nn.Module, split: Split, data: Data) -> Tensor:
    """Probabilities 6×N×C: of the image, of it moved by a pixel each way along the diagonal, and
    of the mirror images of the three. Their mean is a six-view evaluation (Jordan, 2024).
    """
    views = [(mirrored, shift) for mirrored in (False, True) for shift in (0, -1, 1)]
    return torch.stack(
        [predict(model, split, data, mirrored=m, shift=s).softmax(1) for m, s in views]
    )


def evaluate(model: nn.Module, split: Split, data: Data) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy, over the samples of a split."""
    logits, labels = predict(model, split, data), split.labels.cpu()
    loss = F.cross_entropy(logits, labels).item()
    return loss, (logits.argmax(1) == labels).float().mean().item()
