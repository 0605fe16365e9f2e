"""Go's Sprintf over what JSON can hold (https://pkg.go.dev/fmt). Pure."""

from __future__ import annotations

import re

from machine.errors import TemplateError
from machine.template.lexer import quoted
from machine.template.values import kind, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)", re.S)
_WIDEST = 1000
_GO_KIND = {"list": "[]interface {}", "map": "map[string]interface {}", "float": "float64"}


def printf(form: Any, *values: Any) -> str:
    """`form` with its verbs filled in; a verb that does not fit shows as `%!d(string=x)`, as in Go."""
    if not isinstance(form, str):
        raise TemplateError(f"printf wants a string first, not a {kind(form)}")
    rest = list(values)

    def fill(match: re.Match[str]) -> str:  # noqa: PLR0911
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if not verb:
            return "%!(NOVERB)"
        if int(width[:9] or 0) > _WIDEST or int((precision or "")[:9] or 0) > _WIDEST:
            raise TemplateError(f"printf: {match.group()} is wider than {_WIDEST}")
        if not rest:
            return f"%!{verb}(MISSING)"
        text = _one(verb, flags, None if precision is None else int(precision or 0), rest.pop(0))
        if len(text) >= int(width or 0):
            return text
        if "-" in flags:
            return text.ljust(int(width))
        if "0" in flags and text[:1] in "+-":
            return text[0] + text[1:].rjust(int(width) - 1, "0")
        return text.rjust(int(width), "0" if "0" in flags else " ")

    text = _VERB.sub(fill, form)
    if rest:
        text += "%!(EXTRA " + ", ".join(f"{_go_kind(value)}={show(value)}" for value in rest) + ")"
    return text


def _go_kind(value: Any) -> str:
    return _GO_KIND.get(kind(value), kind(value))


def _one(verb: str, flags: str, precision: int | None, value: Any) -> str:  # noqa: PLR0911
    sort = kind(value)
    plus = "+" if "+" in flags and sort in ("int", "float") and value >= 0 else ""
    if verb == "v":
        return plus + show(value)
    if verb == "T":
        return _go_kind(value)
    if verb == "t" and sort == "bool":
        return show(value)
    if verb in "sqxX" and sort == "list":
        return "[" + " ".join(_one(verb, flags, precision, part) for part in value) + "]"
    if verb == "d" and sort == "list":
        return "[" + " ".join(_one(verb, flags, precision, part) for part in value) + "]"
    if sort == "string" and verb in "sqxX":
        return _string(verb, value if precision is None else value[:precision])
    if sort == "int":
        if verb in "dxXob":
            return plus + format(value, verb)
        if verb in "cqU" and 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000:
            written = {"U": f"U+{value:04X}", "q": f"'{chr(value)}'", "c": chr(value)}
            return written[verb]
    if sort == "float" and verb in "eEfFgG":
        return plus + (
            show(value)
            if verb in "gG" and precision is None
            else f"{value:.{6 if precision is None else precision}{verb}}"
        )
    return f"%!{verb}({_go_kind(value)}={show(value)})" if value is not None else f"%!{verb}(<nil>)"


def _string(verb: str, text: str) -> str:
    if verb == "s":
        return text
    if verb == "q":
        return quoted(text)
    code = text.encode("utf-8", "surrogatepass").hex()
    return code.upper() if verb == "X" else code
