"""Puts what bench/scale.py computes into docs/design/scale.md: `python -m tests.docs.scale_page`."""

import re
import runpy

from tests.docs.generate import ROOT

PAGE = ROOT / "docs" / "design" / "scale.md"
TABLES = ("table", "partitions", "million")


def drawn(text):
    """The page with the tables of the script in place of those that it has."""
    scale = runpy.run_path(str(ROOT / "bench" / "scale.py"))
    for name in TABLES:
        fresh = f"<!-- {name} -->\n{scale[name](scale['Costs']())}\n<!-- end -->"
        text = re.sub(rf"<!-- {name} -->\n.*?<!-- end -->", lambda _found, it=fresh: it, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
