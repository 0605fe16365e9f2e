"""The commands of a shell script, without running it: what a page of the manual tells its reader to type."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

SEPARATORS = ";|&\n()"
KEYWORDS = {"!", "do", "elif", "else", "eval", "exec", "if", "sudo", "then", "time", "until", "while", "{"}
ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
SUBSTITUTED = "SUBSTITUTED"  # stands for what a $(...) would give


def commands(script: str) -> Iterator[list[str]]:
    """Yield the words of every simple command, those inside of $(...) too, without assignments and redirections.

    A command whose quotes are open is left out: it is prose.
    """
    for text in simple_commands(script):
        try:
            words = shlex.split(text)
        except ValueError:
            continue
        while words and (words[0] in KEYWORDS or ASSIGNMENT.match(words[0])):
            words.pop(0)
        if words:
            yield words


def simple_commands(script: str) -> Iterator[str]:
    """Yield the text of every simple command as it stands in the script, quotes and all."""
    stack: list[tuple[str, bool]] = []  # of each command around a $(...): its text so far, whether a quote is open
    text, quoted = "", False
    pieces = re.finditer(r"\\.|'[^']*'|\$\(|\d?[<>]+&?[ ]*[^\s;|&()]*|(?:(?<=\s)|^)#[^\n]*|.", script, re.DOTALL)
    for piece in (match[0] for match in pieces):
        if piece == "$(":
            stack.append((text + SUBSTITUTED, quoted))
            text, quoted = "", False
        elif piece == '"':
            text, quoted = text + piece, not quoted
        elif quoted:
            text += piece
        elif piece == ")" and stack:
            yield text
            text, quoted = stack.pop()
        elif piece in SEPARATORS:
            yield text
            text = ""
        elif piece[0] in "#<>" or re.match(r"\d[<>]", piece):
            continue
        else:
            text += " " if piece == "\\\n" else piece
    yield text
