"""What a parsed template is made of. Plain classes: dataclasses would cost more to import than to do without."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Node:
    """A piece of a template; `at` is its place in the text, for errors."""

    __slots__ = ("at",)

    def __init__(self, at: int) -> None:
        self.at = at


class Text(Node):
    """Text between actions."""

    __slots__ = ("text",)

    def __init__(self, at: int, text: str) -> None:
        super().__init__(at)
        self.text = text


class Literal(Node):
    """A string, number, boolean or nil."""

    __slots__ = ("value",)

    def __init__(self, at: int, value: Any) -> None:
        super().__init__(at)
        self.value = value


class Dot(Node):
    """The current value."""

    __slots__ = ()


class Variable(Node):
    """`$name`; "$" is the data the template was given."""

    __slots__ = ("name",)

    def __init__(self, at: int, name: str) -> None:
        super().__init__(at)
        self.name = name


class Field(Node):
    """`.a.b` of some value."""

    __slots__ = ("names", "of")

    def __init__(self, at: int, of: Node, names: tuple[str, ...]) -> None:
        super().__init__(at)
        self.of = of
        self.names = names


class Call(Node):
    """A function with its arguments."""

    __slots__ = ("arguments", "name")

    def __init__(self, at: int, name: str, arguments: list[Node]) -> None:
        super().__init__(at)
        self.name = name
        self.arguments = arguments


class Pipeline(Node):
    """`a | f x | g`: each value becomes the last argument of the next call."""

    __slots__ = ("commands",)

    def __init__(self, at: int, commands: list[Node]) -> None:
        super().__init__(at)
        self.commands = commands


class Output(Node):
    """`{{pipeline}}`."""

    __slots__ = ("pipeline",)

    def __init__(self, at: int, pipeline: Node) -> None:
        super().__init__(at)
        self.pipeline = pipeline


class Assign(Node):
    """`{{$x := pipeline}}` (declares) or `{{$x = pipeline}}`."""

    __slots__ = ("declares", "name", "pipeline")

    def __init__(self, at: int, name: str, declares: bool, pipeline: Node) -> None:
        super().__init__(at)
        self.name = name
        self.declares = declares
        self.pipeline = pipeline


class Block(Node):
    """`if`, `with` or `range`, with its `else`. `names` are the variables that it declares."""

    __slots__ = ("body", "names", "other", "pipeline", "word")

    def __init__(
        self, at: int, word: str, names: list[str], pipeline: Node, *, body: list[Node], other: list[Node]
    ) -> None:
        super().__init__(at)
        self.word = word
        self.names = names
        self.pipeline = pipeline
        self.body = body
        self.other = other


class Jump(Node):
    """`break` or `continue` of the innermost range."""

    __slots__ = ("word",)

    def __init__(self, at: int, word: str) -> None:
        super().__init__(at)
        self.word = word
