"""Whatever is typed: a status, a message, and never a bug."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.typed import StoreWithEngines, new_store_with_engines

COMMANDS = ["active", "config", "env", "help", "inspect", "ip", "ls", "status", "url", "version", "plugin", "ssh", ""]
LINE = """m bad nope default -q -f {{.Name}} {{ --format --filter name=m state=x -t 0 -t=inf -tnan -t=-1 -t1e300 -t=1
-u --unset --swarm --shell fish cmd --no-proxy --json -- - --debug -D --log-format json -s /nonexistent/store
--storage-path= --help=false uninstall -vh = \udcff"""
WORDS = st.sampled_from(LINE.split()) | st.text(max_size=6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(COMMANDS), st.lists(WORDS, max_size=6), st.integers(0, 2))
def test_no_line_is_a_bug(command: str, words: list[str], before: int) -> None:
    with tempfile.TemporaryDirectory() as directory, new_store_with_engines(Path(directory)) as cli:
        fill(cli)
        typed = cli.type(*words[:before], *([command] if command else []), *words[before:], PATH="/nonexistent")
    assert typed.status in (0, 1, 2, 3, 4, 5)
    assert "bug in machine" not in typed.err
    assert typed.status == 0 or typed.err


def fill(cli: StoreWithEngines) -> None:
    """A machine whose engine is down, and a broken one."""
    cli.none("m", "tcp://127.0.0.1:1")
    cli.broken("bad")
