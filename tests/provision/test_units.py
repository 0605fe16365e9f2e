"""systemd's syntax, read and written."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from machine.provision import dockerd_command, units

TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(st.lists(TEXT, min_size=1, max_size=5))
def test_an_argument_is_read_back_as_it_was(values: list[str]) -> None:
    line = " ".join(units.quote_argument(value) for value in values)
    back = [meant.replace("%%", "%").replace("$$", "$") for _, meant in units.split_words(line)]
    assert back == values


def test_words_keep_their_spelling() -> None:
    assert units.split_words("""-/bin/x --a="b c" 'd e' f\\ g""") == [
        ("-/bin/x", "-/bin/x"),
        ('--a="b c"', "--a=b c"),
        ("'d e'", "d e"),
        ("f\\ g", "f g"),
    ]


def test_the_last_command_before_ours_counts() -> None:
    shipped = (
        "/lib/systemd/system/docker.service",
        "[Service]\n# ExecStart=no\nExecStart=/usr/bin/dockerd \\\n  -H fd://\n",
    )
    early = ("/etc/systemd/system/docker.service.d/05-proxy.conf", "[Service]\nExecStart=\nExecStart=/opt/dockerd\n")
    quiet = ("/etc/systemd/system/docker.service.d/99-env.conf", '[Service]\nEnvironment="ExecStart=x"\n')
    ours = ("/etc/systemd/system/docker.service.d/10-machine.conf", "[Service]\nExecStart=\nExecStart=/ours\n")
    late = ("/etc/systemd/system/docker.service.d/override.conf", "[Service]\nExecStart=\nExecStart=/late\n")
    assert units.exec_start([shipped]) == ("/usr/bin/dockerd    -H fd://", ())
    assert units.exec_start([shipped, early, ours, quiet]) == ("/opt/dockerd", ())
    assert units.exec_start([shipped, ours, late]) == ("/late", (late[0],))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_accepts_what_we_write(tmp_path: Path) -> None:
    unit = tmp_path / "docker.service"
    unit.write_text("[Service]\nType=exec\nExecStart=/bin/true\n")
    (tmp_path / "docker.service.d").mkdir()
    words = ["/bin/true", *map(units.quote_argument, ["a b", "50%", "$HOME", 'say "hi"', "back\\slash", ";", ""])]
    text = units.drop_in(words, ['A=b c "d" 100% $x \\ end']) + "X-MachineHosts=fd://\n"
    (tmp_path / "docker.service.d/10-machine.conf").write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    ours = [line for line in done.stderr.splitlines() if "docker.service" in line]
    assert ours == []


@pytest.mark.parametrize("start", ["-/usr/bin/dockerd", "/usr/bin/env PATH=${BIN}:${PATH} ${BIN}/dockerd"])
def test_what_starts_dockerd_stays_before_its_flags(start: str) -> None:
    parts = dockerd_command.parse(f"{start} --host=fd:// --debug $OPTS")
    assert dockerd_command.render(parts, parts.hosts, (), "x", []) == [start, "-H", "fd://", "--debug", "$OPTS"]
