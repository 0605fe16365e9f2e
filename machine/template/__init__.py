"""The part of Go's text/template that `--format` takes (docs/templates.md; https://pkg.go.dev/text/template).

`render(text, data)` is pure. `data` is what JSON can hold, and Struct where an unknown field is an error.
Every failure is a TemplateError; time and output are bounded (machine.template.evaluate).
"""

from __future__ import annotations

from machine.template.template import Template, render
from machine.template.values import Struct

__all__ = ["Struct", "Template", "render"]
