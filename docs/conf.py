"""The documentation as a site: `make docs`, without a network; a warning is an error."""

from pathlib import Path
import re
import sys
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

project = "DX2CT"
copyright = "the DX2CT authors. Research use only, not a medical device"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "DX2CT"
html_show_sphinx = False
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks hold what they show: `make notebooks`
nb_render_image_options = {"width": "100%"}
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_mock_imports = ["cupy"]

SCROLLS = re.compile(r'(<pre|<div class="table-wrapper[^"]*")>')
ONE_TICK = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def plain(_app: Any, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: code in single ticks, and blocks that are indented."""
    found: list[str] = []
    inside = False
    for line in lines:
        indented = line.startswith("    ")
        if indented and not inside:
            found += ["", "::", ""]
        elif inside and line and not indented:
            found.append("")
        inside = indented or (inside and not line)
        found.append(line if indented else ONE_TICK.sub(r"``\1``", line))
    lines[:] = found


def accessible(_app: Any, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """What Sphinx and furo leave out: levels of the headings of the contents, and keys for what scrolls sideways."""
    contents = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = contents.replace('role="heading"', 'role="heading" aria-level="2"')
    context["body"] = SCROLLS.sub(r'\1 tabindex="0">', context.get("body", ""))


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.connect("autodoc-process-docstring", plain)
    app.connect("html-page-context", accessible, priority=900)  # after furo's
