"""A template's text becomes nodes. Pure; TemplateError on whatever is not in the subset."""

from __future__ import annotations

from machine.template import nodes
from machine.template.lexer import Token, literal, pieces, problem, tokens

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from machine.template.nodes import Node

_BLOCKS = ("if", "with", "range")
_JUMPS = ("break", "continue")
_ABSENT = ("define", "template", "block")
_NAMED = {"true": True, "false": False, "nil": None}
_DEEPEST = 50


def parse(text: str, *, escapes: bool = False) -> list[Node]:
    """The nodes of a whole template."""
    return _Parser(text, escapes).body((), 0, in_range=False)[0]


class _Parser:
    def __init__(self, text: str, escapes: bool) -> None:
        self.text = text
        self.escapes = escapes
        self.pieces = pieces(text)

    def body(
        self, enders: Sequence[str], start: int, *, in_range: bool, depth: int = 0
    ) -> tuple[list[Node], Token | None, list[Token]]:
        """Nodes up to an action that starts with one of `enders`; that word and the tokens after it."""
        if depth > _DEEPEST:
            raise problem(self.text, start, "blocks are nested too deeply")
        parsed: list[Node] = []
        for is_action, body, at in self.pieces:
            if not is_action:
                plain = body.replace("\\t", "\t").replace("\\n", "\n") if self.escapes else body
                if plain:
                    parsed.append(nodes.Text(at, plain))
                continue
            words = tokens(self.text, body, at)
            if not words:
                raise problem(self.text, at, "an action is empty")
            first = words[0]
            if first.kind == "word" and first.text in ("end", "else"):
                if first.text not in enders:
                    raise problem(self.text, first.at, f"{first.text} without an if, with or range")
                return parsed, first, words[1:]
            parsed.append(self.action(words, in_range=in_range, depth=depth))
        if enders:
            raise problem(self.text, start, "a block has no {{end}}")
        return parsed, None, []

    def action(self, words: list[Token], *, in_range: bool, depth: int) -> Node:
        """The node of one action."""
        first = words[0]
        if first.kind == "word" and first.text in _BLOCKS:
            return self.block(first, words[1:], in_range=in_range, depth=depth)
        if first.kind == "word" and first.text in _JUMPS and len(words) == 1:
            if not in_range:
                raise problem(self.text, first.at, f"{first.text} outside of a range")
            return nodes.Jump(first.at, first.text)
        if first.kind == "word" and first.text in _ABSENT:
            raise problem(self.text, first.at, f"{first.text} is not supported")
        if first.kind == "variable" and len(words) > 1 and words[1].kind in ("declare", "assign"):
            pipeline = self.pipeline(words[2:], words[1].at)
            return nodes.Assign(first.at, first.text, words[1].kind == "declare", pipeline)
        return nodes.Output(first.at, self.pipeline(words, first.at))

    def block(self, first: Token, head: list[Token], *, in_range: bool, depth: int) -> Node:
        """An if, with or range up to its end; `else if` and `else with` nest in its else."""
        names: list[str] = []
        variables = [index for index, token in enumerate(head[:4]) if token.kind == "declare"]
        if variables:
            for token in head[: variables[0]]:
                if token.kind == "variable" and len(names) < 2:
                    names.append(token.text)
                elif token.kind != "comma":
                    raise problem(self.text, token.at, f"unexpected {token.text!r}")
            head = head[variables[0] + 1 :]
            if not names or (len(names) == 2 and first.text != "range"):
                raise problem(self.text, first.at, f"{first.text} cannot declare that")
        pipeline = self.pipeline(head, first.at)
        inside = in_range or first.text == "range"
        body, ender, rest = self.body(("else", "end"), first.at, in_range=inside, depth=depth + 1)
        other: list[Node] = []
        if ender is not None and ender.text == "else":
            if rest and rest[0].kind == "word" and rest[0].text in ("if", "with"):
                other = [self.block(rest[0], rest[1:], in_range=in_range, depth=depth + 1)]
                return nodes.Block(first.at, first.text, names, pipeline, body=body, other=other)
            self.nothing(rest)
            other, ender, rest = self.body(("end",), first.at, in_range=in_range, depth=depth + 1)
        self.nothing(rest)
        return nodes.Block(first.at, first.text, names, pipeline, body=body, other=other)

    def nothing(self, rest: list[Token]) -> None:
        """No tokens may follow."""
        if rest:
            raise problem(self.text, rest[0].at, f"unexpected {rest[0].text!r}")

    def pipeline(self, words: list[Token], at: int, depth: int = 0) -> Node:
        """Commands joined by pipes."""
        if depth > _DEEPEST:
            raise problem(self.text, at, "parentheses are nested too deeply")
        commands: list[Node] = []
        start = 0
        level = 0
        for index in range(len(words) + 1):
            token = words[index] if index < len(words) else None
            level += {"open": 1, "close": -1}.get(token.kind, 0) if token else 0
            if token is None or (token.kind == "pipe" and level == 0):
                commands.append(self.command(words[start:index], at, bool(commands), depth))
                start = index + 1
        return commands[0] if len(commands) == 1 else nodes.Pipeline(at, commands)

    def command(self, words: list[Token], at: int, piped: bool, depth: int) -> Node:
        """A function with its arguments, or one value."""
        if not words:
            raise problem(self.text, at, "a value is missing")
        first = words[0]
        if first.kind == "word" and first.text not in _NAMED:
            from machine.template.functions import FUNCTIONS

            if first.text not in FUNCTIONS:
                raise problem(self.text, first.at, f"there is no function {first.text!r}")
            return nodes.Call(first.at, first.text, self.operands(words[1:], depth))
        values = self.operands(words, depth)
        if len(values) > 1 or piped:
            raise problem(self.text, values[-1].at, f"{first.text} is not a function")
        return values[0]

    def operands(self, words: list[Token], depth: int) -> list[Node]:
        """The values in a row, each with its chain of fields."""
        found: list[Node] = []
        at = 0
        while at < len(words):
            value, at = self.operand(words, at, depth)
            names: list[str] = []
            while at < len(words) and words[at].kind == "field" and words[at].glued:
                names.append(words[at].text[1:])
                at += 1
            if at < len(words) and words[at].glued and words[at].kind not in ("close", "pipe"):
                raise problem(self.text, words[at].at, f"unexpected {words[at].text!r}")
            if isinstance(value, nodes.Field):
                value = nodes.Field(value.at, value.of, (*value.names, *names))
            elif names:
                value = nodes.Field(value.at, value, tuple(names))
            found.append(value)
        return found

    def operand(self, words: list[Token], at: int, depth: int) -> tuple[Node, int]:  # noqa: PLR0911
        """One value, without its chain, and the index after it."""
        token = words[at]
        if token.kind in ("string", "raw", "number"):
            return nodes.Literal(token.at, literal(self.text, token)), at + 1
        if token.kind == "word" and token.text in _NAMED:
            return nodes.Literal(token.at, _NAMED[token.text]), at + 1
        if token.kind == "word":
            from machine.template.functions import FUNCTIONS

            if token.text in FUNCTIONS:
                return nodes.Call(token.at, token.text, []), at + 1
            raise problem(self.text, token.at, f"there is no function {token.text!r}")
        if token.kind == "dot":
            return nodes.Dot(token.at), at + 1
        if token.kind == "field":
            return nodes.Field(token.at, nodes.Dot(token.at), (token.text[1:],)), at + 1
        if token.kind == "variable":
            return nodes.Variable(token.at, token.text), at + 1
        if token.kind == "open":
            level = 1
            for end in range(at + 1, len(words)):
                level += {"open": 1, "close": -1}.get(words[end].kind, 0)
                if level == 0:
                    return self.pipeline(words[at + 1 : end], token.at, depth + 1), end + 1
            raise problem(self.text, token.at, "a parenthesis is not closed")
        raise problem(self.text, token.at, f"unexpected {token.text!r}")
