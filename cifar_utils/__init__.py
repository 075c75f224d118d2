"""Helpers of a study of convolutional networks without skip connections on CIFAR-10.

Data flows one way: data → augment → models → training → metrics → records → statistics → plots.
`batch` and `report` stand outside: they import what a notebook imports, which never imports them.
"""
