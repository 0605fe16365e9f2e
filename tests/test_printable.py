"""Nothing that a terminal obeys comes through; what a program reads stays the same."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from machine.printable import in_json, in_line, in_text, in_values


@given(st.text())
def test_a_line_is_one_line_and_visible(text: str) -> None:
    shown = in_line(text)
    assert "".join(char for char in shown if not "\ud800" <= char <= "\udfff").isprintable()
    assert in_line(shown) == shown


@given(st.text())
def test_a_text_keeps_its_lines(text: str) -> None:
    assert in_text(text).count("\n") == text.count("\n")
    assert "\x1b" not in in_text(text)


@given(st.text(st.characters()) | st.text("\x00\x1b\x7f\x85\x9b\u202e\u2066\U000e0001\ud800é漢"))
def test_json_means_the_same(text: str) -> None:
    document = in_json(json.dumps({text: [text]}, ensure_ascii=False, indent=2))
    assert json.loads(document) == {text: [text]}
    assert document.replace("\n", "").isprintable()


def test_what_is_escaped_is_shown_as_its_escape() -> None:
    assert in_line("a\x1b[31m\n\t\r\x7f\u202eb\U000e0001é") == r"a\x1b[31m\n\t\r\x7f\u202eb\U000e0001é"
    assert in_values({"k\n": ["\x1b", 5, None]}) == {r"k\n": [r"\x1b", 5, None]}
