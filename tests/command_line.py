"""The command line, called as a shell would call it."""

import pytest

from cifar_utils import __main__ as cli


def call(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    """The exit code, and all that was written."""
    code = cli.entry([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code or 0, shown.out + shown.err
