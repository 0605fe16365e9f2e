"""Steps as one script: run by every plain shell there is here, and taken apart again."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.process import Completed
from machine.provision import Facts, Plan, Result, Run, WriteFile, plan, render, rollback, script
from machine.provision.engine_upgrade import upgrade_plan
from machine.provision.gather_script import GATHER_SCRIPT
from machine.provision.host_files import DAEMON_JSON
from machine.provision.install import WAIT_FOR_CLOUD_INIT, fetch_command
from machine.provision.packages import MANAGERS, install
from machine.provision.planner import hostname
from machine.provision.steps import Step
from tests.provision.test_cases import CASES, every_step, facts, spec
from tests.provision.test_swarm import every_swarm_step

SHELLS = [shell for shell in (["dash"], ["busybox", "sh"], ["bash", "--posix"]) if shutil.which(shell[0])]
MARK = "@mark"


def run(steps: list[Step], shell: list[str]) -> list[Completed]:
    text = script.batch(steps, MARK)
    done = subprocess.run([*shell, "-s"], input=text, capture_output=True, text=True, timeout=30)
    return script.split_output(steps, MARK, Completed(done.returncode, done.stdout, done.stderr))


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_each_step_has_its_own_answer(shell: list[str]) -> None:
    steps: list[Step] = [
        Run("talk", "echo out; echo err >&2; printf 'no newline'"),
        Run("read nothing", "cat; x=1"),
        Run("see nothing of the others", 'echo "${x-unset}"; cd /'),
        Run("fail", "echo before; false; echo after"),
        Run("never", "echo never"),
    ]
    answers = run(steps, shell)
    assert [answer.status for answer in answers] == [0, 0, 0, 1]
    assert (answers[0].stdout, answers[0].stderr) == ("out\nno newline", "err")
    assert answers[1].stdout == ""
    assert answers[2].stdout == "unset"
    assert answers[3].stdout == "before"


def test_a_script_that_breaks_off_says_where() -> None:
    answers = run([Run("fine", ":"), Run("die", "kill -9 $$; sleep 5"), Run("never", ":")], ["dash"])
    assert [answer.status for answer in answers] == [0, -1]


def test_output_cannot_pass_for_a_mark() -> None:
    answers = run([Run("pretend", "echo '@other end 1 7'; echo '@other begin 2'"), Run("go on", "echo here")], ["dash"])
    assert [answer.status for answer in answers] == [0, 0]
    assert answers[1].stdout == "here"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
@pytest.mark.parametrize(
    "content",
    [
        b"plain\n",
        b"",
        b"no newline at the end",
        "grüße\n".encode(),
        b"$HOME `id` \\ 'x' \"y\"\n",
        bytes(range(256)),
        b"a\n" * 90000,
    ],
    ids=["plain", "empty", "open end", "utf-8", "shell words", "binary", "180 kB"],
)
def test_a_file_arrives_as_it_is(tmp_path: Path, shell: list[str], content: bytes) -> None:
    target = tmp_path / "a new directory" / "it's a file"
    assert [answer.status for answer in run([WriteFile(str(target), content, 0o640)], shell)] == [0]
    assert target.read_bytes() == content
    assert target.stat().st_mode & 0o777 == 0o640
    assert list(target.parent.iterdir()) == [target]


def test_an_equal_file_is_not_touched_but_closed(tmp_path: Path) -> None:
    target = tmp_path / "key"
    target.write_bytes(b"same\n")
    target.chmod(0o644)
    before = target.stat()
    run([WriteFile(str(target), b"same\n", 0o600)], ["dash"])
    after = target.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600


def test_a_file_that_its_check_refuses_stays_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "settings"
    target.write_bytes(b"good\n")
    check = 'grep good "$1" || { echo refused >&2; exit 1; }'
    answer = run([WriteFile(str(target), b"bad\n", check=check)], ["dash"])[0]
    assert (answer.status, answer.stderr) == (1, "refused")
    assert target.read_bytes() == b"good\n"
    assert list(tmp_path.iterdir()) == [target]
    assert run([WriteFile(str(target), b"good too\n", check=check)], ["dash"])[0].status == 0
    assert target.read_bytes() == b"good too\n"


def test_a_new_file_is_never_open_to_others(tmp_path: Path) -> None:
    """The check runs while the file has its content and not yet its place."""
    check = f'stat -c %a "$1" >{tmp_path}/seen'
    run([WriteFile(str(tmp_path / "key"), b"secret\n", 0o600, check=check)], ["dash"])
    assert (tmp_path / "seen").read_text() == "600\n"


def test_a_plan_without_questions_is_one_script_for_a_first_boot(tmp_path: Path) -> None:
    def three() -> Plan:
        yield Run("make", f"mkdir {tmp_path}/d")
        yield WriteFile(f"{tmp_path}/d/key", b"hunter2\n", 0o600, secret=True)
        yield Run("use", f"cat {tmp_path}/d/key >{tmp_path}/d/copy")
        return Result()

    shown = render(three())
    assert "hunter2" not in shown
    assert "(8 bytes, not shown)" in shown
    done = subprocess.run(["dash", "-s"], input=render(three(), masked=False), text=True, timeout=30)
    assert done.returncode == 0
    assert (tmp_path / "d/copy").read_bytes() == b"hunter2\n"


def test_a_person_is_spared_the_script_that_takes_back() -> None:
    host = {"recorded": "debian-12-running.txt"}
    shown = render(plan(facts(host), spec({})))
    assert "a guard puts all of it back" in shown
    assert "END_UNDO" not in shown
    assert shown.count("\n") < 170
    assert "END_UNDO" in render(plan(facts(host), spec({})), masked=False)


def test_a_plan_with_a_question_is_shown_up_to_it() -> None:
    todo = plan(facts({"recorded": "debian-12-missing.txt"}), spec({"engine": {"install_url": "distro"}}))
    shown = render(todo)
    assert "docker.io" in shown
    assert "decided by what the last step finds" in shown
    assert "restart" not in shown


def until_asked(todo: Plan) -> list[Step]:
    """The steps of a plan up to its first question."""
    steps = [next(todo)]
    while not steps[-1].needs_output:
        steps.append(next(todo))
    return steps


def scripts() -> dict[str, str]:
    """Every script this program can send, by what it is for."""
    steps = {step.name: step for step in [GATHER_SCRIPT, WAIT_FOR_CLOUD_INIT, *every_step()]}
    found = {f"step: {name}": script.batch([step], MARK) for name, step in steps.items()}
    for manager in MANAGERS:
        found[f"install: {manager}"] = script.batch([Run("install", install(manager, ["a"], ["b"]))], MARK)
        machine = facts({"os_id": "any", "init": "systemd", "dockerd": "/usr/bin/dockerd", "package_manager": manager})
        found[f"upgrade: {manager}"] = script.batch(until_asked(upgrade_plan(machine)), MARK)
        found |= {f"swarm: {manager}: {s.name}": script.batch([s], MARK) for s in every_swarm_step(manager)}
    for init in ("systemd", "openrc", "boot2docker"):
        begin = rollback.begin(Facts(init=init), [DAEMON_JSON])
        found[f"begin: {init}"] = script.batch([begin, rollback.commit([DAEMON_JSON])], MARK)
        inside = re.findall(r"<<'(END_\w+)'\n(.*?)\n\1\n", begin.script + "\n", re.DOTALL)
        found |= {f"{init}: {name}": f"{text}\n" for name, text in inside}
    found["exclusive"] = script.batch([GATHER_SCRIPT], MARK, exclusive=True)
    found["as root"] = script.as_root(script.batch([GATHER_SCRIPT], MARK))
    found["rendered"] = render(plan(facts({"recorded": "debian-12-socket.txt"}), spec({})))
    return found


SCRIPTS = scripts()


def test_there_is_a_script_for_each_thing() -> None:
    assert len(CASES) > 50
    assert len(SCRIPTS) > 30


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_every_script_is_plain_sh(shell: list[str]) -> None:
    for name, text in SCRIPTS.items():
        done = subprocess.run([*shell, "-n"], input=text, capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, ""), name


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    """Left out: what is true of any script made of parts.

    SC2317 SC2329 functions that this one does not call; SC2030 SC2031 variables of a subshell; SC2043 a loop over
    one word; SC1003 SC2016 text for sed and file names that are to be taken as they are.
    """
    for number, text in enumerate(SCRIPTS.values()):
        (tmp_path / f"{number}.sh").write_text(text)
    argv = [
        "shellcheck",
        "-s",
        "sh",
        "-e",
        "SC2317,SC2329,SC2030,SC2031,SC2043,SC1003,SC2016",
        *map(str, sorted(tmp_path.glob("*.sh"))),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600)
    assert done.stdout == ""


@pytest.mark.parametrize("full", [False, True], ids=["room", "full-disk"])
def test_etc_hosts_is_whole_or_as_it_was(tmp_path: Path, full: bool) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n127.0.1.1\told.example old\n192.0.2.1 x")
    before = hosts.read_text()
    if full:
        (tmp_path / "hosts.machine-new").symlink_to("/dev/full")
    run = hostname(Facts(hostname="dev", static_hostname="dev"), "dev")[0]
    text = "set -eu\n" + run.script.replace("/etc/", f"{tmp_path}/")
    done = subprocess.run(["sh", "-s"], input=text, capture_output=True, text=True, timeout=20)
    assert (done.returncode != 0) is full
    assert hosts.read_text() == (before if full else "127.0.0.1 localhost\n127.0.1.1\tdev old.example old\n192.0.2.1 x")


@pytest.mark.parametrize("fetcher", ["curl", "wget"])
def test_an_account_in_the_url_of_the_script_is_in_no_argument_list(fetcher: str, tmp_path: Path) -> None:
    """Played with a fetcher that writes down what it was given."""
    script = f'#!/bin/sh\n[ "$1" = --help ] && echo --input-file && exit\necho "$@" >{tmp_path}/arguments\n'
    (tmp_path / fetcher).write_text(f"{script}cat >{tmp_path}/input\n")
    (tmp_path / fetcher).chmod(0o755)
    host = facts({"recorded": "debian-12-missing.txt"})
    url = "https://me:hunt\"er2'@mirror.example/install.sh"
    line = fetch_command(dataclasses.replace(host, fetcher=fetcher), url, f"{tmp_path}/target")
    subprocess.run(["sh", "-c", f"PATH={tmp_path}:$PATH\n{line}"], check=True, timeout=30)
    assert "er2" not in (tmp_path / "arguments").read_text()
    given = (tmp_path / "input").read_text()
    assert given == (f"{url}\n" if fetcher == "wget" else 'url = "https://me:hunt\\"er2\'@mirror.example/install.sh"\n')
