"""What people type at a docker client, as a script whose outcomes can be compared between endpoints."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.clients.targets import Target, environ_of

SERVER = "echo started; echo kept > /data/f; exec sleep 1000"


class Step(NamedTuple):
    """A command line; `text` is its stdin. With `shown` what it prints has to be the same everywhere, too."""

    line: str
    shown: bool = True
    text: str | None = None
    script: str = ""  # one more argument, which may have blanks


STEPS = (
    Step("version", shown=False),
    Step("info --format {{.OSType}}"),
    Step("images --format {{.Repository}}:{{.Tag}} alpine"),
    Step("image inspect --format {{.Os}} busybox"),
    Step("tag busybox shelf/box:1"),
    Step("volume create data"),
    Step("volume create data"),
    Step("volume ls -q"),
    Step("volume inspect --format {{.Name}},{{.Driver}} data"),
    Step("network create --label made=here inner", shown=False),
    Step("network create inner", shown=False),
    Step("network ls --filter label=made=here --format {{.Name}}"),
    Step("network inspect --format {{.Name}},{{.Driver}} inner"),
    Step("run --rm busybox echo hello"),
    Step("run --rm -i busybox cat", text="from stdin\n"),
    Step("run --rm busybox sh -c", script="echo out; echo err >&2; exit 7"),
    Step("run --rm nosuch.invalid/nosuch:1", shown=False),
    Step("run -d --name web --network inner -v data:/data -p 8092:80 -l role=web busybox sh -c", False, script=SERVER),
    Step("run -d --name web busybox true", shown=False),
    Step("ps --format {{.Names}},{{.Image}}"),
    Step("ps -a --filter label=role=web --format {{.Names}}"),
    Step("inspect --format {{.Name}},{{.State.Running}},{{.Config.Image}} web"),
    Step("logs web"),
    Step("exec web cat /data/f"),
    Step("exec -i web cat", text="to the exec\n"),
    Step("exec web sh -c", script="exit 5"),
    Step("top web", shown=False),
    Step("port web 80/tcp"),
    Step("stats --no-stream --format {{.Name}} web"),
    Step("cp context/Dockerfile web:/tmp/file"),
    Step("exec web head -n 1 /tmp/file"),
    Step("cp web:/tmp/file back"),
    Step("diff web"),
    Step("rename web site"),
    Step("run --rm --network inner busybox ping -c 1 -W 5 site", shown=False),
    Step("run --rm --volumes-from site busybox cat /data/f"),
    Step("run --rm --network container:site busybox hostname", shown=False),
    Step("network create other", shown=False),
    Step("network connect other site"),
    Step("network disconnect other site"),
    Step("pause site"),
    Step("unpause site"),
    Step("restart -t 0 site"),
    Step("stop -t 0 site"),
    Step("start site"),
    Step("kill site"),
    Step("wait site"),
    Step("commit site shelf/site:1", shown=False),
    Step("run --rm shelf/site:1 cat /tmp/file"),
    Step("export -o exported site"),
    Step("import exported shelf/imported:1", shown=False),
    Step("create --name idle busybox echo once", shown=False),
    Step("start -a idle"),
    Step("events --since 1h --until -1s --filter container=idle --filter event=start --format {{.Action}}"),
    Step("build --network none -t built:1 context", shown=False),
    Step("run --rm built:1"),
    Step("history --format {{.CreatedBy}} built:1"),
    Step("save -o saved built:1"),
    Step("rmi built:1", shown=False),
    Step("load -i saved"),
    Step("run --rm built:1"),
    Step("system df", shown=False),
    Step("rm idle"),
    Step("rm -f site"),
    Step("inspect nosuch", shown=False),
    Step("volume rm nosuch", shown=False),
    Step("container prune -f", shown=False),
    Step("rmi built:1 shelf/box:1 shelf/site:1 shelf/imported:1", shown=False),
    Step("volume rm data"),
    Step("network rm inner other"),
    Step("network ls --filter type=custom -q"),
    Step("ps -aq"),
)
DOCKERFILE = "FROM busybox\nRUN echo built > /built\nCMD cat /built\n"
_ADDRESS = re.compile(r"^\S*:(\d+)$", re.MULTILINE)  # each engine has one of its own


def outcomes(program: str, target: Target, work: Path) -> list[tuple[str, int, str]]:
    """Run every step: its line, its exit status and, where it is to be compared, what it printed."""
    work = work / target.name
    (work / "context").mkdir(parents=True)
    (work / "context/Dockerfile").write_text(DOCKERFILE)
    environ = environ_of(target, work / "home", DOCKER_CONFIG=str(work / "home/.docker"), DOCKER_BUILDKIT="0")
    found = []
    for step in STEPS:
        argv = [program, *step.line.split(), *([step.script] if step.script else [])]
        done = subprocess.run(
            argv, cwd=work, env=environ, input=step.text or "", capture_output=True, text=True, timeout=120
        )
        shown = _ADDRESS.sub(r":\1", done.stdout) if step.shown else ""
        found.append((step.line, done.returncode, "\n".join(sorted(set(shown.splitlines())))))
    return found


def differences(
    found: dict[str, list[tuple[str, int, str]]], beside: str = "engine"
) -> dict[str, list[tuple[tuple[str, int, str], tuple[str, int, str]]]]:
    """By endpoint: each step that went otherwise than at `beside`, as that one had it and as it was."""
    right = found[beside]
    other = {name: [(r, s) for r, s in zip(right, seen, strict=True) if r != s] for name, seen in found.items()}
    return {name: steps for name, steps in other.items() if steps}
