"""The language of man pages (man(7)), as far as these pages need it: text is escaped, examples are kept as they are."""

from __future__ import annotations

import re


def escape(text: str) -> str:
    """A text that no character of is a command of roff's: what is typed keeps its ASCII hyphens and quotes."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return re.sub(r"(?m)^(?=\.)", r"\\&", text)


def heading(title: str) -> str:
    """A section's heading."""
    return f".SH {quoted(title.upper())}\n"


def quoted(text: str) -> str:
    """One argument of a macro."""
    return '"' + escape(text) + '"'


def bold(text: str) -> str:
    """A text in bold, for what is typed as it stands."""
    return f"\\fB{escape(text)}\\fR"


def italic(text: str) -> str:
    """A text in italics, for what stands for something else."""
    return f"\\fI{escape(text)}\\fR"


def item(tag: str, text: str) -> str:
    """A term (already formatted) and its explanation (plain)."""
    return f".TP\n{tag}\n{escape(text) or chr(92) + '&'}\n"


def paragraphs(text: str) -> str:
    """Plain text with empty lines between paragraphs; lines that begin with a space are kept as they are."""
    blocks: list[str] = []
    for part in text.strip("\n").split("\n\n"):
        for kept, lines in _runs(part.split("\n")):
            body = escape("\n".join(lines))
            blocks.append(f".PP\n.nf\n{body}\n.fi\n" if kept else f".PP\n{body}\n")
    return "".join(blocks)


def _runs(lines: list[str]) -> list[tuple[bool, list[str]]]:
    """The lines in groups: (whether they are kept as they are, the lines)."""
    found: list[tuple[bool, list[str]]] = []
    for line in lines:
        kept = line.startswith(" ")
        if not found or found[-1][0] != kept:
            found.append((kept, []))
        found[-1][1].append(line)
    return found
