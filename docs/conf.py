"""The book: `make book` builds it into _site/ with Sphinx, without running a notebook."""

import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.append(str(DOCS / "_ext"))
shutil.rmtree(DOCS / "reference", ignore_errors=True)  # written anew, from reference.rst

project = "Plain CNNs on CIFAR-10"
author = "the authors of cifar_utils"
copyright = author
language = "en"

extensions = [
    "chapters",
    "explorers",
    "figures",
    "mathml",
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["notebooks/start.md"]  # included in index.md
templates_path = ["_templates"]

# Notebooks: shown as they were committed.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath", "html_image"]
myst_heading_anchors = 4
html_math_renderer = "mathml"

# Reference: Google's docstrings; `a name in backticks` is code.
default_role = "literal"
add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "undoc-members": True}
napoleon_numpy_docstring = False
python_maximum_signature_line_length = 70

html_theme = "furo"
html_title = project
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
html_css_files = ["book.css"]
pygments_dark_style = "github-dark"
html_copy_source = False
html_show_sourcelink = False
