"""Nodes and data become text. Time and output are bounded: a step costs one, text costs by its length."""

from __future__ import annotations

from machine.errors import TemplateError
from machine.template import nodes
from machine.template.functions import FUNCTIONS
from machine.template.values import NO_VALUE, Struct, field, kind, show, truth

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from machine.template.nodes import Node

_STEPS = 200_000
_CHARACTERS = 10_000_000


class _JumpOut(Exception):
    """`break` (or `continue`) on its way to the range around it."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


def evaluate(tree: Sequence[Node], data: Any) -> str:
    """The text of a whole template."""
    run = _Run(data)
    run.body(tree, data)
    return "".join(run.out)


class _Run:
    def __init__(self, data: Any) -> None:
        self.out: list[str] = []
        self.variables: list[tuple[str, Any]] = [("$", data)]
        self.steps = _STEPS
        self.characters = _CHARACTERS

    def spend(self, value: Any = None) -> None:
        """Count one step, and the length of a text."""
        self.steps -= 1
        if isinstance(value, str):
            self.characters -= len(value)
        if self.steps < 0 or self.characters < 0:
            raise TemplateError("the template does too much: it was stopped")

    def body(self, tree: Sequence[Node], dot: Any) -> None:
        """Write the nodes; variables declared here end here."""
        scope = len(self.variables)
        try:
            for node in tree:
                self.node(node, dot)
        finally:
            del self.variables[scope:]

    def node(self, node: Node, dot: Any) -> None:
        """Write one node."""
        self.spend()
        if isinstance(node, nodes.Text):
            self.write(node.text)
        elif isinstance(node, nodes.Output):
            value = self.value(node.pipeline, dot)
            self.write(NO_VALUE if value is None else show(value))
        elif isinstance(node, nodes.Assign):
            self.assign(node, dot)
        elif isinstance(node, nodes.Jump):
            raise _JumpOut(node.word)
        elif isinstance(node, nodes.Block):
            scope = len(self.variables)
            try:
                self.block(node, dot)
            finally:
                del self.variables[scope:]

    def write(self, text: str) -> None:
        """Append to the output."""
        self.spend(text)
        self.out.append(text)

    def assign(self, node: nodes.Assign, dot: Any) -> None:
        """Declare or change a variable."""
        value = self.value(node.pipeline, dot)
        if node.declares:
            self.variables.append((node.name, value))
            return
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == node.name:
                self.variables[index] = (node.name, value)
                return
        raise TemplateError(f"there is no variable {node.name}")

    def block(self, node: nodes.Block, dot: Any) -> None:
        """if, with or range."""
        value = self.value(node.pipeline, dot)
        if node.word == "range":
            self.range(node, value, dot)
            return
        self.variables.extend((name, value) for name in node.names)
        if truth(value):
            self.body(node.body, value if node.word == "with" else dot)
        else:
            self.body(node.other, dot)

    def range(self, node: nodes.Block, value: Any, dot: Any) -> None:
        """The body once for each item."""
        items = list(_items(value))
        if not items:
            self.body(node.other, dot)
        for key, item in items:
            self.spend()
            scope = len(self.variables)
            if len(node.names) == 1:
                self.variables.append((node.names[0], item))
            elif node.names:
                self.variables.extend([(node.names[0], key), (node.names[1], item)])
            try:
                self.body(node.body, item)
            except _JumpOut as jump:
                if jump.word == "break":
                    break
            finally:
                del self.variables[scope:]

    def value(self, node: Node, dot: Any) -> Any:
        """The value of a pipeline, command or operand."""
        self.spend()
        if isinstance(node, nodes.Literal):
            return node.value
        if isinstance(node, nodes.Dot):
            return dot
        if isinstance(node, nodes.Field):
            value = self.value(node.of, dot)
            for name in node.names:
                value = field(value, name)
            return value
        if isinstance(node, nodes.Variable):
            for name, value in reversed(self.variables):
                if name == node.name:
                    return value
            raise TemplateError(f"there is no variable {node.name}")
        if isinstance(node, nodes.Call):
            return self.call(node, dot, ())
        return self.pipe(node, dot)

    def pipe(self, node: Node, dot: Any) -> Any:
        """Each command's value is the last argument of the next."""
        commands = node.commands if isinstance(node, nodes.Pipeline) else []
        value: Any = None
        for index, command in enumerate(commands):
            if index == 0:
                value = self.value(command, dot)
            elif isinstance(command, nodes.Call):
                value = self.call(command, dot, (value,))
        return value

    def call(self, node: nodes.Call, dot: Any, last: tuple[Any, ...]) -> Any:
        """A function's value."""
        function, fewest, most = FUNCTIONS[node.name]
        count = len(node.arguments) + len(last)
        if not fewest <= count <= most:
            raise TemplateError(f"{node.name} wants {_values_wanted(fewest, most, count)}, not {count}")
        if node.name in ("and", "or"):
            value: Any = None
            for argument in node.arguments:
                value = self.value(argument, dot)
                if truth(value) == (node.name == "or"):
                    return value
            return last[0] if last else value
        value = function(*(self.value(argument, dot) for argument in node.arguments), *last)
        self.spend(value)
        return value


def _values_wanted(fewest: float, most: float, count: int) -> str:
    """Return how many values a function takes, for an error about `count` of them."""
    if fewest == most:
        return f"{fewest} value" if fewest == 1 else f"{fewest} values"
    return f"at least {fewest} values" if count < fewest else f"at most {most} values"


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    """(index or key, item); a map in the order of its keys."""
    if value is None:
        return
    if isinstance(value, Struct) or not isinstance(value, (list, tuple, dict)):
        raise TemplateError(f"range wants a list or a map, not a {kind(value)}")
    if isinstance(value, dict):
        yield from ((key, value[key]) for key in sorted(value))
    else:
        yield from enumerate(value)
