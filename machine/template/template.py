"""A template: parsed once, rendered as often as wanted."""

from __future__ import annotations

from machine.errors import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine.template.nodes import Node


class Template:
    """A parsed template, to be rendered as often as wanted."""

    def __init__(self, text: str, *, escapes: bool = False) -> None:
        """Parse `text`. With `escapes`, \\t and \\n between the actions mean tab and newline, as `ls` has it."""
        from machine.template.parser import parse

        self.text = text
        try:
            self._nodes: list[Node] = parse(text, escapes=escapes)
        except RecursionError:
            raise TemplateError("the template is nested too deeply") from None

    def render(self, data: Any) -> str:
        """The template's text with `data` filled in."""
        from machine.template.evaluate import evaluate

        try:
            return evaluate(self._nodes, data)
        except RecursionError:
            raise TemplateError("the data are nested too deeply for a template") from None


def render(text: str, data: Any, *, escapes: bool = False) -> str:
    """Parse and render at once."""
    return Template(text, escapes=escapes).render(data)
