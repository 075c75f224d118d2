"""Helpers of a study of convolutional networks without skip connections on CIFAR-10.

Data flows one way: data → augment → models → metrics → training → results → plots → report.
No module imports one to its right; `study` runs the notebooks from outside.
"""
