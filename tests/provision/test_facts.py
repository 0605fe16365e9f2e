"""What is read from the look at a machine; recorded/ holds real answers of the lab's hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.process import Completed
from machine.provision import script
from machine.provision.facts import parse
from machine.provision.gather_script import GATHER_SCRIPT

RECORDED = Path(__file__).parent / "recorded"


def recorded(name: str) -> Completed:
    return Completed(0, (RECORDED / name).read_text())


def test_a_running_engine() -> None:
    facts = parse(recorded("debian-12-running.txt"))
    assert (facts.os_id, facts.os_version, facts.distro) == ("debian", "12", "Debian GNU/Linux 12 (bookworm)")
    assert (facts.init, facts.package_manager, facts.fetcher) == ("systemd", "apt-get", "curl")
    assert (facts.service, facts.enabled, facts.socket) == ("active", True, "active")
    assert (facts.dockerd, facts.release, facts.storage_driver) == ("/usr/sbin/dockerd", (20, 10), "overlay2")
    assert facts.exec_start.startswith("/usr/sbin/dockerd -H fd:// ")


def test_a_sleeping_engine() -> None:
    facts = parse(recorded("debian-12-socket.txt"))
    assert (facts.service, facts.enabled, facts.socket) == ("inactive", False, "active")
    assert facts.version == "20.10.24+dfsg1"


def test_no_engine() -> None:
    facts = parse(recorded("debian-12-missing.txt"))
    assert (facts.dockerd, facts.version, facts.service, facts.exec_start) == ("", "", "", "")


@pytest.mark.parametrize("name", sorted(path.name for path in RECORDED.glob("*.txt")))
def test_an_answer_cut_off_anywhere_is_refused(name: str) -> None:
    text = recorded(name).stdout
    for end in range(0, len(text) - len("end|yes\n"), 97):
        with pytest.raises(ProvisionError):
            parse(Completed(0, text[:end]))


def test_odd_values_do_no_harm() -> None:
    lines = [
        "os|ID='mint'",
        'os|PRETTY_NAME="half',
        "os|nonsense",
        "hosts|127.0.1.1  a b # c",
        "info|{broken",
        "x|",
        "end|",
    ]
    facts = parse(Completed(0, "\n".join(lines)))
    assert (facts.os_id, facts.os_name, facts.hosts) == ("mint", '"half', ("a", "b"))


def test_a_file_is_known_byte_by_byte() -> None:
    """Or it would be written again, and the engine restarted, for line ends that are not ours."""
    text = '{"labels": ["a=\u2028\x0c\x85"]}\r\n{}\n'
    shown = "".join(f"daemon_json|{line}\n" for line in text.split("\n")[:-1])
    assert parse(Completed(0, shown + "end|yes\n")).daemon_json == text


def test_the_look_only_reads(tmp_path: Path) -> None:
    """Run it here, as whoever runs the tests: it ends well and says what this computer is."""
    done = subprocess.run(
        ["sh", "-s"], input=script.batch([GATHER_SCRIPT], "@m"), capture_output=True, text=True, timeout=60
    )
    answer = script.split_output([GATHER_SCRIPT], "@m", Completed(done.returncode, done.stdout, done.stderr))[0]
    assert answer.status == 0, answer.stderr
    kernel = Path("/proc/sys/kernel/hostname").read_text().strip()
    assert parse(answer).hostname == kernel


@pytest.mark.parametrize(
    "info",
    [
        "[1]",
        '"x"',
        "[" * 100000,
        '{"ServerVersion":1}',
        '{"ServerVersion":"20.10","Swarm":[1],"Images":"x","Driver":2}',
    ],
)
def test_an_engine_that_answers_what_it_likes_is_silent_or_empty(info: str) -> None:
    facts = parse(Completed(0, f"info|{info}\nend|yes\n"))
    assert facts.engine_unresponsive is ("20.10" not in info)
    assert (facts.images, facts.containers_running, facts.swarm_mode) == (0, 0, False)


def test_paused_containers_would_end_with_the_engine_too() -> None:
    info = '{"ServerVersion":"20.10","ContainersRunning":0,"ContainersPaused":2}'
    assert parse(Completed(0, f"info|{info}\nend|yes\n")).containers_running == 2


def test_ports_are_read_as_the_kernel_writes_them() -> None:
    assert parse(Completed(0, "listening|0948\nlistening|0016\nend|yes\n")).listening == {2376, 22}


@pytest.mark.parametrize(
    "line", ["service_text|x", "variables_text|x", "file|z y x", "file|644", "shims|many", "listening|-"]
)
def test_nonsense_is_an_error_and_no_bug(line: str) -> None:
    with pytest.raises(ProvisionError, match="unreadable answer"):
        parse(Completed(0, f"{line}\nend|yes\n"))
