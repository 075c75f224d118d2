"""Make the sample again: `python -m cifar_utils.sample ROOT` (the folder of the official files)."""

import sys

import numpy as np
from torchvision.datasets import CIFAR10

from cifar_utils import sample

if len(sys.argv) != 2:
    sys.exit("usage: python -m cifar_utils.sample ROOT (it holds cifar-10-batches-py)")
pool, test = (CIFAR10(sys.argv[1], train=train) for train in (True, False))
sample.write((pool.data, np.array(pool.targets)), (test.data, np.array(test.targets)))
