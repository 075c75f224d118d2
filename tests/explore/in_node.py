"""The explorers' modules run in Node, for the tests that compare them with Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cifar_utils.explore.page import FOLDER

PROGRAM = shutil.which("node")


def call(folder: Path, module: str, names: str, script: str, given: Any = None) -> Any:
    """What `script` returns, as JSON: a function's body that knows `given` and the names imported.

    Skips the test where there is no Node.
    """
    if not PROGRAM:
        pytest.skip("needs Node to run the pages' modules")
    (folder / "given.json").write_text(json.dumps(given))
    (folder / "call.mjs").write_text(
        f"""import {{ readFileSync, writeFileSync }} from "node:fs";
        import {{ {names} }} from "{(FOLDER / module).as_uri()}";
        const given = JSON.parse(readFileSync("given.json"));
        const result = (() => {{ {script} }})();
        writeFileSync("result.json", JSON.stringify(result));"""
    )
    done = subprocess.run([PROGRAM, "call.mjs"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "result.json").read_text())
