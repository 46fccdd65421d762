"""How Sphinx makes a site of the pages: `make docs`. They stay plain Markdown, with links that work without it."""

from pathlib import Path

from pygments.lexers.special import TextLexer

ROOT = Path(__file__).parents[2]

project = "Postroad"
root_doc = "docs/index"
include_patterns = ["docs/**", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/README.md"]
exclude_patterns = ["docs/_site/**", "docs/examples/**"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
highlight_language = "none"
smartquotes = False  # quotes are what is to be typed
html_theme = "furo"
html_title = "Postroad"
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_static_path = ["style"]
html_css_files = ["pages.css"]

AIMS = """
two-servers check one-machine sendmail import rewrite smarthost open-internet dkim tls tls-reports applications
library lab testing in-ci spool cluster logs troubleshooting
"""
CONTENTS = {
    "Begin": ["docs/tutorial", "docs/howto/install"],
    "How to": [f"docs/howto/{name}" for name in AIMS.split()],
    "Explanation": [
        *(f"docs/explanation/{name}" for name in ("how-senders-choose", "filters-in-front")),
        *(f"docs/explanation/questions{language}" for language in ("", ".ru", ".ja")),
        *(f"docs/design/{name}" for name in ("internet-mix", "spool", "flow", "states", "scale")),
    ],
    "Reference": [
        *(f"docs/reference/{name}" for name in ("cli", "settings", "rules", "senders", "json", "log", "metrics")),
        *("docs/rfc", "docs/glossary", "bench/README", "docs/decisions/README"),
    ],
    "Project": ["CHANGELOG", "CONTRIBUTING", "SECURITY"],
}
"""What the side bar shows, in the order in which somebody new would read it."""


def _tree(pages, *options):
    return "\n".join(["", "```{toctree}", ":hidden:", *options, "", *pages, "```", ""])


def _read(_app, page, source):
    """Add the side bar, which readers of the repository would see as code, to the page as Sphinx reads it."""
    if page == root_doc:
        for name, pages in CONTENTS.items():
            source[0] += _tree([f"/{each}" for each in pages], f":caption: {name}")
    if page == "docs/decisions/README":
        source[0] += _tree(sorted(path.stem for path in (ROOT / "docs" / "decisions").glob("0*.md")))


def _lead_in(app, trouble):
    """The root of the site leads to its first page."""
    if not trouble:
        Path(app.outdir, "index.html").write_text(f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n')


def setup(app):
    """See each."""
    app.add_lexer("mermaid", TextLexer)
    app.connect("source-read", _read)
    app.connect("build-finished", _lead_in)
