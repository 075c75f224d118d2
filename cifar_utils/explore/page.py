"""One self-contained page a figure: HTML, CSS, one ES module and its data, joined into one file."""

from __future__ import annotations

import html
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.figure import Figure

FOLDER = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.mjs";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?=const|function|class|async)", re.MULTILINE)
LARGEST = 1_500_000  # bytes of a page


@dataclass(frozen=True)
class Explorer:
    """A figure that answers a hand. Shown in a notebook: a still image, then the page in a frame.

    GitHub drops frames and paper holds none, so the image (`still`, a PNG) stands before it.
    `page` is the whole document; it makes no request, and its text is the same at every run.
    """

    name: str
    title: str
    still: bytes
    page: str

    def __repr__(self) -> str:
        return f"{self.title}: a figure to try, {len(self.page):,} characters"

    def _repr_html_(self) -> str:
        frame = (FOLDER / "frame.html").read_text(encoding="utf-8")
        return frame.replace("TITLE", html.escape(self.title)).replace(
            "PAGE", html.escape(self.page)
        )

    def _ipython_display_(self) -> None:
        said = {"text/plain": f"<{self.title}>"}
        display({"image/png": self.still} | said, raw=True)  # type: ignore[no-untyped-call]
        display({"text/html": self._repr_html_()} | said, raw=True)  # type: ignore[no-untyped-call]

    def save(self, folder: Path) -> Path:
        """Write the page into a folder; the path of the file."""
        path = folder / f"{self.name}.html"
        path.write_text(self.page, encoding="utf-8")
        return path


def explorer(name: str, title: str, figure: Figure, content: dict[str, Any]) -> Explorer:
    """Join NAME.html, explorer.css, NAME.mjs with what it imports, and `content` as JSON.

    The figure is drawn and closed.

    Raises:
        ValueError: the page would be larger than LARGEST.
    """
    still = io.BytesIO()
    figure.savefig(still, format="png", bbox_inches="tight", metadata={"Software": None})
    plt.close(figure)
    parts = {
        "TITLE": html.escape(title),
        "STYLE": (FOLDER / "explorer.css").read_text(encoding="utf-8"),
        "BODY": (FOLDER / f"{name}.html").read_text(encoding="utf-8"),
        "CONTENT": json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"),
        "SCRIPT": module(name),
    }
    page = (FOLDER / "page.html").read_text(encoding="utf-8")
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], page)
    if (size := len(page.encode())) > LARGEST:
        raise ValueError(f"the page {name!r} has {size:,} bytes; at most {LARGEST:,} are allowed")
    return Explorer(name, title, still.getvalue(), page)


def module(name: str) -> str:
    """NAME.mjs and the modules that it imports, each once and before its use, as one module.

    Raises:
        ValueError: an import or export of another form than the two that are read.
    """
    texts: dict[str, str] = {}

    def add(each: str) -> None:
        if each in texts:
            return
        text = (FOLDER / f"{each}.mjs").read_text(encoding="utf-8")
        for needed in IMPORT.findall(text):
            add(needed)
        text = EXPORT.sub("", IMPORT.sub("", text))
        if left := re.search(r"^(?:import|export)\b.*", text, re.MULTILINE):
            raise ValueError(f"{each}.mjs: {left[0]!r} is no import or export that can be joined")
        texts[each] = text

    add(name)
    return "\n".join(texts.values())
