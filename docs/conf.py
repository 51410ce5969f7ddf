"""Sphinx's settings for the site of the documentation: `make docs`.

Its pages are those of this folder and the ones in the folder above, so that the source folder is the project's, and
links work on the site as they do in the repository.
"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
project = "Detector site"
author = "The maintainers of Detector site"
release = re.findall(r'__version__ = "(.+)"', (ROOT / "detection" / "__init__.py").read_text(encoding="utf-8"))[0]
root_doc = "docs/index"
include_patterns = ["docs/*.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"]
exclude_patterns = [".*", "bench", "detection", "dist", "models", "static", "templates", "tests", "tools", "var"]
extensions = ["myst_parser", "sphinx_copybutton"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"Detector site {release}"
html_favicon = "../static/detection/favicon.svg"
html_extra_path = ["site"]  # from the root to the first page
html_copy_source = html_show_sourcelink = html_show_copyright = False
# Code blocks that are indented have no language.
highlight_language = "none"
copybutton_prompt_text = "$ "
