"""An extension of griffe: the comment behind a field is the field's description in the API pages of the manual."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from griffe import Attribute, Docstring, Extension

COMMENT = re.compile(r"\s{2}# (?!noqa|type:)(.+)$")


class CommentsAsDocstrings(Extension):
    """Gives each attribute without a docstring the comment that ends its line."""

    def on_attribute_instance(self, *, attr: Attribute, **_: Any) -> None:
        """Read the comment behind an attribute."""
        if attr.docstring is not None or attr.endlineno is None or not isinstance(attr.filepath, Path):
            return
        found = COMMENT.search(attr.lines_collection[attr.filepath][attr.endlineno - 1])
        if found:
            text = found[1][0].upper() + found[1][1:].rstrip(".") + "."
            attr.docstring = Docstring(text, lineno=attr.lineno, parent=attr)
