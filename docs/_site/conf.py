"""How Sphinx makes a site of the pages: `make docs`. The pages stay plain Markdown, with links that work in the repository too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pygments.lexers.special import TextLexer

project = "Postroad"
author = "the makers of Postroad"
root_doc = "docs/index"
include_patterns = ["docs/**", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"]
exclude_patterns = ["docs/_site/**", "docs/examples/**"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True
html_theme = "furo"
html_title = "Postroad"
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["style"]
html_css_files = ["pages.css"]
templates_path = []
highlight_language = "none"

# What the side bar shows, in the order in which somebody new would read it
CONTENTS = {
    "Begin": ["docs/tutorial", "docs/howto/install"],
    "How to": [
        f"docs/howto/{name}"
        for name in (
            "two-servers",
            "one-machine",
            "sendmail",
            "import",
            "rewrite",
            "smarthost",
            "open-internet",
            "../dkim",
            "tls",
            "tls-reports",
            "applications",
            "library",
            "lab",
            "testing",
            "in-ci",
            "spool",
            "cluster",
            "logs",
            "troubleshooting",
        )
    ],
    "Explanation": [
        *(f"docs/explanation/{name}" for name in ("how-senders-choose", "filters-in-front", "questions")),
        *(f"docs/explanation/questions.{language}" for language in ("ru", "ja")),
        *(f"docs/design/{name}" for name in ("internet-mix", "spool", "flow", "states", "scale")),
    ],
    "Reference": [
        *(f"docs/reference/{name}" for name in ("cli", "settings", "rules", "senders", "json", "metrics")),
        *("docs/rfc", "docs/glossary", "bench/README", "docs/decisions/README"),
    ],
    "Project": ["CHANGELOG", "CONTRIBUTING", "SECURITY"],
}


def _trees() -> str:
    """The side bar, as Sphinx reads it: the pages themselves are for readers of the repository too, who would see it as code."""
    there = Path(__file__).parents[2]
    trees = []
    for caption, pages in CONTENTS.items():
        known = [f"/{page}".replace("/howto/..", "") for page in pages]
        listed = [page for page in known if (there / f"{page[1:]}.md").exists()]
        trees.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *listed, "```"]))
    return "\n\n".join(trees)


def _read(_app: Any, page: str, source: list[str]) -> None:
    if page == root_doc:
        source[0] += f"\n{_trees()}\n"
    if page == "docs/decisions/README":
        numbers = sorted(path.stem for path in (Path(__file__).parents[1] / "decisions").glob("0*.md"))
        source[0] += "\n" + "\n".join(["```{toctree}", ":hidden:", "", *numbers, "```"]) + "\n"


def _first_page(app: Any, trouble: Exception | None) -> None:
    if not trouble:
        Path(app.outdir, "index.html").write_text(f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n')


def setup(app: Any) -> None:
    """Add the side bar to the first page, and a way to it from the root of the site."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("source-read", _read)
    app.connect("build-finished", _first_page)
