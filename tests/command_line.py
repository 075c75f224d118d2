"""The command line, called as a shell would call it."""

import io
from contextlib import redirect_stderr, redirect_stdout

import pytest

from cifar_utils import __main__ as cli


def call(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str]:
    """The exit code, and all that was written."""
    code = cli.entry([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code or 0, shown.out + shown.err


def call_once(*arguments: object) -> tuple[int, str]:
    """As `call`, for what several tests share, which can't have a test's `capsys`."""
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
        code = cli.entry([str(argument) for argument in arguments])
    return code or 0, said.getvalue()
