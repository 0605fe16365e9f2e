"""What people type at a docker client, as a script whose outcomes can be compared between endpoints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.clients.targets import Target, environ_of

SERVER = "echo started; echo kept > /data/f; exec sleep 1000"


class DockerCommand(NamedTuple):
    """A command line; `text` is its stdin. With `shown` what it prints has to be the same everywhere, too."""

    line: str
    shown: bool = True
    text: str | None = None
    script: str = ""  # one more argument, which may have blanks


COMMANDS = (
    DockerCommand("version", shown=False),
    DockerCommand("info --format {{.OSType}}"),
    DockerCommand("images --format {{.Repository}}:{{.Tag}} alpine"),
    DockerCommand("image inspect --format {{.Os}} busybox"),
    DockerCommand("tag busybox shelf/box:1"),
    DockerCommand("volume create data"),
    DockerCommand("volume create data"),
    DockerCommand("volume ls -q"),
    DockerCommand("volume inspect --format {{.Name}},{{.Driver}} data"),
    DockerCommand("network create --label made=here inner", shown=False),
    DockerCommand("network create inner", shown=False),
    DockerCommand("network ls --filter label=made=here --format {{.Name}}"),
    DockerCommand("network inspect --format {{.Name}},{{.Driver}} inner"),
    DockerCommand("run --rm busybox echo hello"),
    DockerCommand("run --rm -i busybox cat", text="from stdin\n"),
    DockerCommand("run --rm busybox sh -c", script="echo out; echo err >&2; exit 7"),
    DockerCommand("run --rm nosuch.invalid/nosuch:1", shown=False),
    DockerCommand(
        "run -d --name web --network inner -v data:/data -p 8092:80 -l role=web busybox sh -c", False, script=SERVER
    ),
    DockerCommand("run -d --name web busybox true", shown=False),
    DockerCommand("ps --format {{.Names}},{{.Image}}"),
    DockerCommand("ps -a --filter label=role=web --format {{.Names}}"),
    DockerCommand("inspect --format {{.Name}},{{.State.Running}},{{.Config.Image}} web"),
    DockerCommand("logs web"),
    DockerCommand("exec web cat /data/f"),
    DockerCommand("exec -i web cat", text="to the exec\n"),
    DockerCommand("exec web sh -c", script="exit 5"),
    DockerCommand("top web", shown=False),
    DockerCommand("port web 80/tcp"),
    DockerCommand("stats --no-stream --format {{.Name}} web"),
    DockerCommand("cp context/Dockerfile web:/tmp/file"),
    DockerCommand("exec web head -n 1 /tmp/file"),
    DockerCommand("cp web:/tmp/file back"),
    DockerCommand("diff web"),
    DockerCommand("rename web site"),
    DockerCommand("run --rm --network inner busybox ping -c 1 -W 5 site", shown=False),
    DockerCommand("run --rm --volumes-from site busybox cat /data/f"),
    DockerCommand("run --rm --network container:site busybox hostname", shown=False),
    DockerCommand("network create other", shown=False),
    DockerCommand("network connect other site"),
    DockerCommand("network disconnect other site"),
    DockerCommand("pause site"),
    DockerCommand("unpause site"),
    DockerCommand("restart -t 0 site"),
    DockerCommand("stop -t 0 site"),
    DockerCommand("start site"),
    DockerCommand("kill site"),
    DockerCommand("wait site"),
    DockerCommand("commit site shelf/site:1", shown=False),
    DockerCommand("run --rm shelf/site:1 cat /tmp/file"),
    DockerCommand("export -o exported site"),
    DockerCommand("import exported shelf/imported:1", shown=False),
    DockerCommand("create --name idle busybox echo once", shown=False),
    DockerCommand("start -a idle"),
    DockerCommand("events --since 1h --until -1s --filter container=idle --filter event=start --format {{.Action}}"),
    DockerCommand("build --network none -t built:1 context", shown=False),
    DockerCommand("run --rm built:1"),
    DockerCommand("history --format {{.CreatedBy}} built:1"),
    DockerCommand("save -o saved built:1"),
    DockerCommand("rmi built:1", shown=False),
    DockerCommand("load -i saved"),
    DockerCommand("run --rm built:1"),
    DockerCommand("system df", shown=False),
    DockerCommand("rm idle"),
    DockerCommand("rm -f site"),
    DockerCommand("inspect nosuch", shown=False),
    DockerCommand("volume rm nosuch", shown=False),
    DockerCommand("container prune -f", shown=False),
    DockerCommand("rmi built:1 shelf/box:1 shelf/site:1 shelf/imported:1", shown=False),
    DockerCommand("volume rm data"),
    DockerCommand("network rm inner other"),
    DockerCommand("network ls --filter type=custom -q"),
    DockerCommand("ps -aq"),
)
DOCKERFILE = "FROM busybox\nRUN echo built > /built\nCMD cat /built\n"
_ADDRESS = re.compile(r"^\S*:(\d+)$", re.MULTILINE)  # each engine has one of its own


def outcomes(program: str, target: Target, work: Path) -> list[tuple[str, int, str]]:
    """Run every command: its line, its exit status and, where it is to be compared, what it printed."""
    work = work / target.name
    (work / "context").mkdir(parents=True)
    (work / "context/Dockerfile").write_text(DOCKERFILE)
    environ = environ_of(target, work / "home", DOCKER_CONFIG=str(work / "home/.docker"), DOCKER_BUILDKIT="0")
    found = []
    for command in COMMANDS:
        argv = [program, *command.line.split(), *([command.script] if command.script else [])]
        done = subprocess.run(
            argv, cwd=work, env=environ, input=command.text or "", capture_output=True, text=True, timeout=120
        )
        shown = _ADDRESS.sub(r":\1", done.stdout) if command.shown else ""
        found.append((command.line, done.returncode, "\n".join(sorted(set(shown.splitlines())))))
    return found


def differences(
    found: dict[str, list[tuple[str, int, str]]], beside: str = "engine"
) -> dict[str, list[tuple[tuple[str, int, str], tuple[str, int, str]]]]:
    """By endpoint: each command that went otherwise than at `beside`, as that one had it and as it was."""
    right = found[beside]
    other = {name: [(r, s) for r, s in zip(right, seen, strict=True) if r != s] for name, seen in found.items()}
    return {name: commands for name, commands in other.items() if commands}
