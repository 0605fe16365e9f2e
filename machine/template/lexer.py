"""A template cut into text and actions, and an action into tokens. Pure."""

from __future__ import annotations

import json
import re

from machine.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = " \t\r\n"
_LONGEST_NUMBER = 40
_TOKEN = re.compile(
    r"""
      (?P<space>[ \t\r\n]+)
    | (?P<declare>:=) | (?P<assign>=) | (?P<pipe>\|) | (?P<open>\() | (?P<close>\)) | (?P<comma>,)
    | (?P<string>"(?:[^"\\\n]|\\.)*") | (?P<raw>`[^`]*`)
    | (?P<number>[-+]?(?:0[xX][0-9a-fA-F]+|(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?![\w.]))
    | (?P<variable>\$\w*)
    | (?P<field>\.[^\W\d]\w*)
    | (?P<dot>\.)
    | (?P<word>[^\W\d]\w*)
    """,
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.S
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Token:
    """`kind` is a group of the pattern above; `text` is the source; `glued`: no space before it."""

    __slots__ = ("at", "glued", "kind", "text")

    def __init__(self, kind: str, text: str, at: int, glued: bool) -> None:
        self.kind = kind
        self.text = text
        self.at = at
        self.glued = glued


def problem(text: str, at: int, what: str) -> TemplateError:
    """The error to raise; it shows the place."""
    line = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    shown = text[line : len(text) if end < 0 else end]
    return TemplateError(
        f"the template does not parse: {what}",
        details=f"{shown}\n{' ' * (at - line)}^",
    )


def pieces(text: str) -> Iterator[tuple[bool, str, int]]:
    """(is an action, its text without braces and trim markers, where it starts), trimming done, comments gone."""
    at, trim = 0, False
    while True:
        start = text.find("{{", at)
        plain = text[at:] if start < 0 else text[at:start]
        if trim:
            plain = plain.lstrip(_SPACE)
        if start < 0:
            yield False, plain, at
            return
        inside = start + 2
        if text[inside : inside + 1] == "-" and text[inside + 1 : inside + 2] in tuple(_SPACE):
            plain = plain.rstrip(_SPACE)
            inside += 1
        yield False, plain, at
        end = _end(text, start, inside)
        stop = end - 2
        trim = text[stop - 1 : stop] == "-" and text[stop - 2 : stop - 1] in tuple(_SPACE) and stop - 2 >= inside - 1
        body = text[inside : stop - 1 if trim else stop]
        if not body.lstrip(_SPACE).startswith("/*"):
            yield True, body, inside
        at = end


def _end(text: str, start: int, inside: int) -> int:
    """Just past the }} that closes the action at `start`; quotes and comments may hold braces."""
    comment = re.compile(r"[ \t\r\n]*/\*").match(text, inside)
    if comment:
        close = text.find("*/", comment.end())
        closed = re.compile(r"\*/([ \t\r\n]+-)?\}\}").match(text, close) if close >= 0 else None
        if closed is None:
            raise problem(text, start, "a comment is not closed by */}}")
        return closed.end()
    at = inside
    while at < len(text):
        if text.startswith("}}", at):
            return at + 2
        if text[at] in '"`':
            quoted = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`').match(text, at)
            if quoted is None:
                raise problem(text, at, "a quote is not closed")
            at = quoted.end()
        else:
            at += 1
    raise problem(text, start, "an action is not closed by }}")


def tokens(whole: str, body: str, offset: int) -> list[Token]:
    """The tokens of one action; `whole` and `offset` are for errors."""
    found: list[Token] = []
    at, glued = 0, False
    while at < len(body):
        match = _TOKEN.match(body, at)
        if match is None:
            raise problem(whole, offset + at, f"unexpected {body[at]!r}")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match.group(), offset + at, glued))
        glued = kind != "space"
        at = match.end()
    return found


def literal(whole: str, token: Token) -> str | int | float:
    """The value of a string, raw string or number token."""
    if token.kind == "raw":
        return token.text[1:-1].replace("\r", "")
    if token.kind == "string":
        return _ESCAPE.sub(lambda match: _unescape(match, whole, token.at), token.text[1:-1])
    text = token.text
    if len(text) > _LONGEST_NUMBER:
        raise problem(whole, token.at, "a number is too long")
    if text.lstrip("+-")[:2].lower() == "0x":
        return int(text, 16)
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise problem(whole, token.at, "a number is too large")
    return value


def _unescape(match: re.Match[str], whole: str, at: int) -> str:
    simple, two, four, eight, octal, other = match.groups()
    if simple:
        return _SIMPLE.get(simple, simple)
    if other is not None:
        raise problem(whole, at, f"\\{other} is not an escape")
    code = int(octal, 8) if octal else int(two or four or eight, 16)
    if code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise problem(whole, at, "an escape is no character")
    return chr(code)


def quoted(text: str) -> str:
    """`text` as a Go string literal, as %q prints it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7f")
