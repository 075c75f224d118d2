"""A figure that answers a hand, as in a notebook: the directive `{explorer} walk`."""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cifar_utils import explore
from cifar_utils.explore import page


class ExplorerDirective(SphinxDirective):
    """Its argument is the name of a function of `cifar_utils.explore`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The page in its frame."""
        for path in page.FOLDER.iterdir():
            self.env.note_dependency(str(path))  # the next build then renders it anew
        shown = getattr(explore, self.arguments[0])()
        return [nodes.raw("", shown._repr_html_(), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("explorer", ExplorerDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
