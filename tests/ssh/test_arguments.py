from __future__ import annotations

import shlex
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from machine.ssh import arguments
from machine.ssh.arguments import Login, RemotePath

DEV = Login("dev", "192.0.2.7", 22, "docker", "/store/machines/dev/id_rsa", "/store/machines/dev/known_hosts", True)
SIX = replace(DEV, name="six", address="2001:db8::7", port=2222, user="root")

SETTINGS = [
    "-o", "HostKeyAlias=dev", "-o", 'UserKnownHostsFile="/store/machines/dev/known_hosts"',
    "-o", "GlobalKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=yes", "-o", "HashKnownHosts=no",
    "-o", "UpdateHostKeys=no", "-o", "Port=22", "-o", "PasswordAuthentication=no", "-o", "ConnectTimeout=10",
    "-o", "ServerAliveInterval=60", "-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes",
    "-o", 'IdentityFile="/store/machines/dev/id_rsa"',
]  # fmt: skip


def test_ssh_puts_the_users_options_first_and_the_command_last() -> None:
    argv = arguments.ssh(DEV, ["-L", "8080:localhost:80", "-N"], ["uname", "-a"])
    assert argv == [
        "ssh", "-L", "8080:localhost:80", "-N", *SETTINGS, "-o", "User=docker", "--", "192.0.2.7", "uname", "-a",
    ]  # fmt: skip


def test_the_users_configuration_is_not_switched_off() -> None:
    assert "-F" not in arguments.ssh(DEV)
    assert "Include ~/.ssh/config" in arguments.configuration([DEV, SIX])


def test_without_a_key_ssh_looks_for_its_own() -> None:
    assert not [word for word in arguments.ssh(replace(DEV, key_path="")) if "Identit" in word]


def test_a_machine_without_a_host_key_on_record_gets_one_at_the_first_login() -> None:
    assert "StrictHostKeyChecking=accept-new" in arguments.ssh(replace(DEV, key_on_record=False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dev:/tmp/x", RemotePath("dev", "", "/tmp/x")),
        ("root@dev:x:y", RemotePath("dev", "root", "x:y")),
        ("dev:", RemotePath("dev", "", "")),
        ("localhost:/tmp/x", RemotePath("", "", "/tmp/x")),
        ("/tmp/a:b", RemotePath("", "", "/tmp/a:b")),
        ("./a:b", RemotePath("", "", "./a:b")),
        ("plain", RemotePath("", "", "plain")),
        (":odd", RemotePath("", "", ":odd")),
        ("a@b", RemotePath("", "", "a@b")),
    ],
)
def test_places(text: str, expected: RemotePath) -> None:
    assert arguments.parse_remote_path(text) == expected


@pytest.mark.parametrize(
    ("words", "length"),
    [
        (["uname", "-a"], 0),
        (["-", "x"], 0),
        (["--", "x"], 0),
        (["-A", "x"], 1),
        (["-tt"], 1),
        (["-L", "1:a:2"], 2),
        (["-L1:a:2", "x"], 1),
        (["-NL", "1:a:2"], 2),
        (["-NfL1:a:2", "x"], 1),
        (["-oPort=3"], 1),
        (["-o", "Port=3"], 2),
    ],
)
def test_option_length(words: list[str], length: int) -> None:
    assert arguments.option_length(words) == length


def test_scp_of_one_machine_needs_no_file() -> None:
    places = [arguments.parse_remote_path(text) for text in ("-odd", "a:b/c", "dev:/tmp")]
    assert places[1].machine == "a"  # a colon first makes it remote, as with scp itself
    argv = arguments.scp([DEV], [places[0], places[2]], recursive=True, quiet=False)
    assert argv == ["scp", "-r", *SETTINGS, "--", "./-odd", "docker@192.0.2.7:/tmp"]


def test_ipv6_has_brackets() -> None:
    argv = arguments.scp([SIX], [RemotePath("six", "", "/x"), RemotePath("", "", ".")], recursive=False, quiet=True)
    assert argv[-2:] == ["root@[2001:db8::7]:/x", "."]
    assert "2001:db8::7" in arguments.ssh(SIX)


def test_two_machines_go_through_a_configuration_by_name() -> None:
    argv = arguments.scp(
        [DEV, SIX],
        [RemotePath("dev", "", "/a"), RemotePath("six", "me", "/b")],
        recursive=False,
        quiet=True,
        config="/c",
    )
    assert argv == ["scp", "-3", "-q", "-F", "/c", "--", "docker@dev:/a", "me@six:/b"]


@pytest.mark.skipif(shutil.which("ssh") is None, reason="asks the system's ssh")
def test_ssh_reads_the_configuration_as_it_was_meant(tmp_path: Path) -> None:
    """ssh -G prints what it understood, odd characters in paths and all."""
    odd = tmp_path / 'a b "c" 100% \\d'
    login = replace(SIX, name="Six.7-x", key_path=str(odd / "key"), known_hosts=str(odd / "known_hosts"))
    config = tmp_path / "config"
    config.write_text(arguments.configuration([DEV, login]))
    for argv in (["ssh", "-G", "-F", str(config), login.name], [*arguments.ssh(login, ["-G", "-F", "/dev/null"])]):
        out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        seen = dict(line.split(" ", 1) for line in out.splitlines() if " " in line)
        assert seen["hostname"] == "2001:db8::7"
        assert seen["port"] == "2222"
        assert seen["hostkeyalias"].lower() == "six.7-x"  # shown in lower case
        assert seen["stricthostkeychecking"] == "true"
        assert seen["identityfile"].replace("%%", "%").strip('"') == str(odd / "key")
        assert seen["userknownhostsfile"].replace("%%", "%").strip('"') == str(odd / "known_hosts")


def test_rsync_gets_one_shell_string_that_splits_back() -> None:
    login = replace(DEV, key_path="/with space/it's")
    argv = arguments.rsync(login, [RemotePath("", "", "d"), RemotePath("dev", "", "/d")], recursive=True, quiet=False)
    shell = argv[argv.index("-e") + 1]
    assert shlex.split(shell)[0] == "ssh"
    assert 'IdentityFile="/with space/it\'s"' in shlex.split(shell)
    assert argv[:4] == ["rsync", "-t", "-r", "--progress"]
    assert argv[-3:] == ["--", "d", "docker@192.0.2.7:/d"]


def test_sshfs_escapes_commas() -> None:
    argv = arguments.sshfs(replace(DEV, key_path="/a,b"), RemotePath("dev", "", "/data"), "/mnt")
    assert 'IdentityFile="/a\\,b"' in argv
    assert argv[:3] == ["sshfs", "-p", "22"]
    assert argv[-2:] == ["docker@192.0.2.7:/data", "/mnt"]
