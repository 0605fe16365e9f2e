"""Variables of units and of OpenRC's files. What systemd makes of the same text is asked in test_lab_variables.py."""

from __future__ import annotations

import pytest

from machine.provision import dockerd_command, units, variables

DEBIAN = """\
# Docker Upstart and SysVinit configuration file
#DOCKER_OPTS="--dns 8.8.8.8"
; a comment too
DOCKER_OPTS="--label env=prod \\
  --insecure-registry reg.example:5000"
export NOT_SYSTEMDS=1
  SPACED = padded
SINGLE='a "b" $c'"d e"
MIXED=x"y" z\\
"""


def test_a_file_is_read_as_systemd_does() -> None:
    found = variables.from_file(DEBIAN)
    assert found["DOCKER_OPTS"].split() == ["--label", "env=prod", "--insecure-registry", "reg.example:5000"]
    assert found["SINGLE"] == 'a "b" $cd e'
    assert found["SPACED"] == "padded"
    assert found["MIXED"] == 'x"y" z'
    assert "NOT_SYSTEMDS" not in found


def test_environment_lines_are_read_in_order() -> None:
    shipped = ("/lib/systemd/system/docker.service", '[Service]\nEnvironment="A=b c" D=e\nEnvironment=P=50%%\n')
    reset = ("/etc/systemd/system/docker.service.d/05.conf", "[Service]\nEnvironment=\nEnvironment=D=f\n")
    ours = ("/etc/systemd/system/docker.service.d/10-machine.conf", '[Service]\nEnvironment="D=ours"\n')
    assert variables.from_units([shipped], units.specifiers("", "", "")) == {"A": "b c", "D": "e", "P": "50%"}
    assert variables.from_units([shipped, reset, ours], {}) == {"D": "f"}


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("$OPTS", ["--a", "b c"]),
        ("${OPTS}", ["--a 'b c'"]),
        ("--x=${ONE}y", ["--x=1y"]),
        ("--x=$ONE", ["--x=$ONE"]),
        ("$NONE", []),
        ("${NONE}", [""]),
        ("$$HOME", ["$HOME"]),
    ],
)
def test_a_word_is_expanded_as_systemd_does(word: str, meant: list[str]) -> None:
    assert variables.expand(word, {"OPTS": "--a 'b c'", "ONE": "1"}) == meant


def read(text: str, **more: str) -> dockerd_command.Command:
    return dockerd_command.parse(text, variables=more)


def test_flags_of_a_variable_count_as_if_they_were_written() -> None:
    parts = read(
        "/usr/sbin/dockerd -H fd:// $DOCKER_OPTS",
        DOCKER_OPTS="--label env=prod --tlsverify --tlscacert=/x --dns 8.8.8.8 --insecure-registry r:5000 -H tcp://:2375",
    )
    assert parts.moved == {"labels": ["env=prod"], "insecure-registries": ["r:5000"]}
    assert parts.hosts == ["fd://", "tcp://:2375"]
    assert parts.kept == ["--dns", "8.8.8.8"]
    assert parts.expanded_variables == ("DOCKER_OPTS",)


def test_a_variable_with_nothing_of_ours_stays_a_variable() -> None:
    line = "/usr/bin/dockerd -H fd:// $OPTIONS $DOCKER_STORAGE_OPTIONS ${DOCKER_ADD_RUNTIMES}"
    parts = read(line, OPTIONS="--default-ulimit nofile=32768:65536 --selinux-enabled", DOCKER_STORAGE_OPTIONS="")
    assert parts.kept == ["$OPTIONS", "$DOCKER_STORAGE_OPTIONS", "${DOCKER_ADD_RUNTIMES}"]
    assert parts.expanded_variables == ()


def test_a_value_may_come_from_a_variable_and_stays_exact() -> None:
    parts = read(
        "dockerd --label ${L} --pidfile=${P} $REST", L="a=b c", P="/x y", REST="--label z=1 --log-opt 'tag=$1%'"
    )
    assert parts.moved == {"labels": ["a=b c", "z=1"]}
    assert parts.kept == ["--pidfile=${P}", "--log-opt", "tag=$$1%%"]


def test_specifiers_are_put_in_where_a_word_is_taken_and_only_there() -> None:
    known = units.specifiers("web01.example", "debian", "12")
    found = variables.from_units(
        [("/x", "[Service]\nEnvironment=O='--label a=%l --data-root=%S/docker --tag 5%%'\n")], known
    )
    parts = dockerd_command.parse(
        "dockerd -H unix://%t/x --label h=%H $O $F --pidfile=%t/p", variables={**found, "F": "%H"}, specifiers=known
    )
    assert parts.hosts == ["unix:///run/x"]
    assert parts.moved == {"labels": ["h=web01.example", "a=web01"]}
    assert parts.kept == ["--data-root=/var/lib/docker", "--tag", "5%%", "$F", "--pidfile=%t/p"]
    assert parts.unknown == ()
    assert dockerd_command.parse("dockerd --label b=%b", specifiers=known).unknown == ("b=%b",)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("tcp://0.0.0.0:2375", "2375"),
        (":2376", "2376"),
        ("10.0.0.1", "2376"),
        ("tcp://", "2376"),
        ("tcp://[::]", "2376"),
        ("tcp://[::1]:77/x", "77"),
        ("fd://", ""),
        ("unix:///a:2376", ""),
    ],
)
def test_the_port_of_a_host_is_the_one_that_dockerd_takes(host: str, port: str) -> None:
    assert dockerd_command.tcp_port(host) == port


@pytest.mark.parametrize("word", ["-Hfd://", "-H=fd://", "-DHfd://", "--host=fd://"])
def test_a_host_is_seen_however_it_is_written(word: str) -> None:
    assert read(f"dockerd {word}").hosts == ["fd://"]


def test_a_switch_takes_no_word_after_it() -> None:
    assert dockerd_command.parse("dockerd --icc -H fd:// --ipv6", drop=("icc", "ipv6")).hosts == ["fd://"]


def test_live_restore_as_a_flag_goes_to_the_file() -> None:
    assert read("dockerd --live-restore -H fd://").live_restore is True
    assert read("dockerd --live-restore=false").live_restore is False


def test_a_file_named_in_a_variable_is_found() -> None:
    given = dockerd_command.arguments("dockerd $O", {"O": "--debug --config-file /etc/other.json"})
    assert dockerd_command.settings_file(given, ()) == "/etc/other.json"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('DOCKER_OPTS="--label a=b"\n', "--label a=b"),
        ("# DOCKER_OPTS=x\nrc_need=net\n", ""),
        ('A=1; export B="$A 2"\nDOCKER_OPTS="--x ${B}"\nDOCKER_OPTS="${DOCKER_OPTS:-} --y"\n', "--x 1 2 --y"),
        ("DOCKER_OPTS=a\nDOCKER_OPTS+=' b'\n", "a b"),
        ("DOCKER_OPTS=$(cat /etc/opts)\n", None),
        ("[ -e /x ] && DOCKER_OPTS=y\n", None),
        ("DOCKER_OPTS=`id`\n", None),
        ("if true; then DOCKER_OPTS=y; fi\n", None),
    ],
)
def test_a_shell_file_is_understood_or_not_but_never_run(text: str, value: str | None) -> None:
    assert variables.from_shell(text, "DOCKER_OPTS") == value
