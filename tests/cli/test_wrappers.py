"""The published wrappers of docker-machine drive our `docker-machine`: what they parse is what it prints.

They are fetched by pip and npm into a directory of the test, for two of them are no packages that could be installed
beside this one (one is called `machine`, one is of Python 2 and goes through 2to3 first).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import certs
from machine import __version__
from machine.build import commit
from tests.cli.typed import StoreWithEngines, new_store_with_engines

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
OURS = "import sys; sys.argv[0] = 'docker-machine'; from machine.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreWithEngines]:
    """A store with `dev`, whose engine answers over TLS, and `docker-machine` in a directory `bin` beside it."""
    with new_store_with_engines(tmp_path_factory.mktemp("wrapped")) as cli:
        cli.none("dev", f"tcp://127.0.0.1:{cli.engine()}")
        client = certs.make_client(cli.files.authority, "test")
        for name, content in (
            ("ca.pem", cli.files.authority.cert),
            ("cert.pem", client.cert),
            ("key.pem", client.key),
        ):
            Path(cli.store.directory("dev"), name).write_bytes(content)
        program = cli.directory / "bin" / "docker-machine"
        program.parent.mkdir()
        program.write_text(
            f"#!/bin/sh\nunset PYTHONPATH\ncd {shlex.quote(str(ROOT))}\n"
            f'MACHINE_STORAGE_PATH={shlex.quote(cli.store.root)} exec {sys.executable} -c "{OURS}" "$@"\n'
        )
        program.chmod(0o755)
        yield cli


def fetched(argv: list[str], what: str, directory: Path) -> None:
    """Run pip or npm; the test skips where there is no network to fetch `what` from."""
    try:
        done = subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"{what} cannot be fetched: {error}")
    if done.returncode:
        pytest.skip(f"{what} cannot be fetched: {(done.stderr or done.stdout).strip().splitlines()[-1]}")


def unpacked(name: str, directory: Path) -> Path:
    """The source of a release of the Python Package Index."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    fetched([*pip, "--no-build-isolation", "--no-deps", "--no-binary", ":all:", name], name, directory)
    with tarfile.open(next(directory.glob("*.tar.gz"))) as archive:
        archive.extractall(directory, filter="data")
    return next(path for path in directory.iterdir() if path.is_dir())


def said(fleet: StoreWithEngines, script: str, *paths: Path) -> object:
    """What a script that uses a wrapper prints, as JSON."""
    environ = {
        **fleet.environ,
        "PATH": f"{fleet.directory / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": ":".join(map(str, paths)),
    }
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=fleet.directory,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


PYTHON_DOCKER_MACHINE = """
import json, sys, types
try:
    import pkg_resources
except ImportError:  # left out of newer setuptools; only the version of the wrapper is read with it
    fake = sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    fake.DistributionNotFound = LookupError
    def require(name): raise LookupError(name)
    fake.require = require
import machine
m = machine.Machine()
found = {"version": m.version(), "made": m.create("made", driver="none", xarg=["--url", "tcp://127.0.0.1:1"])}
config = m.config("dev")
found["config"] = [config["base_url"], config["tls"].ca_cert, *config["tls"].cert]
found["ls"] = [row for row in m.ls() if row.get("Name")]
found["exists"] = [m.exists("dev"), m.exists("de"), m.exists("nope")]
found["status"] = [m.status("dev"), m.status("made")]
found["env"], found["inspect"] = m.env("dev"), m.inspect("dev")["Name"]
found["ip"], found["url"], found["active"] = m.ip("dev"), m.url("dev"), m.active()
found["started"], found["rm"] = m.start("dev"), [m.rm("made"), m.rm("gone", force=True)]
try:
    m.rm("made")
except RuntimeError as error:
    found["refused"] = str(error)
print(json.dumps(found))
"""


def test_python_docker_machine(fleet: StoreWithEngines, tmp_path: Path) -> None:
    found = said(fleet, PYTHON_DOCKER_MACHINE, unpacked("python-docker-machine", tmp_path))
    assert isinstance(found, dict)
    url, home = fleet.store.load("dev").url(), fleet.store.directory("dev")
    assert found["version"] == __version__
    assert found["made"] == 0
    assert found["config"] == [url.replace("tcp", "https"), *(f"{home}/{name}.pem" for name in ("ca", "cert", "key"))]
    assert [(row["Name"], row["State"], row["DockerVersion"]) for row in found["ls"]] == [
        ("dev", "Running", "v20.10.24"),
        ("made", "Stopped", "Unknown"),
    ]
    assert (found["exists"], found["status"]) == ([True, False, False], [True, False])
    assert f'DOCKER_HOST="{url}"' in found["env"]
    assert (found["inspect"], found["ip"], found["url"]) == ("dev", "127.0.0.1", url)
    assert found["active"] is None, "it compares what is said when none is active"
    assert (found["started"], found["rm"]) == (True, [True, True])
    assert 'Docker machine "made" does not exist' in found["refused"]


DOCKER_MACHINE_PY = """
import collections, collections.abc, functools, inspect, json, subprocess, sys, types
collections.Mapping = collections.abc.Mapping
inspect.getargspec = inspect.getfullargspec
sys.modules["UserDict"] = types.ModuleType("UserDict")
sys.modules["UserDict"].IterableUserDict = collections.UserDict
docker = sys.modules["docker"] = types.ModuleType("docker")
docker.__path__ = [sys.path[1] + "/docker"]
from docker.machine import errors
from docker.machine.cli import client
from docker.machine.cli.machine import Machine
client.Popen = functools.partial(subprocess.Popen, text=True)
errors.CLIError.message = property(lambda self: self.args[0])
c = client.Client()
dev = Machine("dev", c)
found = {"version": list(c.version().val()), "active": c.active().val(), "config": c.config("dev").val()}
found["create"] = c.create("other", driver="none").raw
found["env"], found["inspect"] = c.env("dev").val(), dev.inspection.driver.url
found["ip"], found["url"] = c.ip("dev").val(), c.url("dev").val()
found["ls"] = [c.ls(quiet=True).val(), c.ls(quiet=True, filters="name=dev").val(), c.ls(timeout="2").val()]
found["status"] = [dev.running(), dev.runningish(), dev.stoppedish(), dev.exists(), Machine("nope", c).exists()]
found["rm"], found["help"] = c.rm("other").raw, c.help("ls").val()
found["start"] = c.start("dev").raw
print(json.dumps(found))
"""


def test_docker_machine_py(fleet: StoreWithEngines, tmp_path: Path) -> None:
    pytest.importorskip("lib2to3", reason="the wrapper is of Python 2, and this Python has no 2to3 any more")
    source = unpacked("docker-machine-py", tmp_path)
    converted = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "lib2to3", "-w", "-n", "--no-diffs", str(source / "docker")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert converted.returncode == 0, converted.stderr
    found = said(fleet, DOCKER_MACHINE_PY, source)
    assert isinstance(found, dict)
    url = fleet.store.load("dev").url()
    assert found["version"] == [__version__, commit()]
    assert found["active"] == []
    assert '--tlscacert="' in found["config"]
    assert found["env"]["DOCKER_HOST"] == url
    assert (found["inspect"], found["ip"], found["url"]) == (url, "127.0.0.1", url)
    assert found["ls"][:2] == [["dev", "other"], ["dev"]]
    assert found["ls"][2].startswith("NAME ")
    assert found["status"] == [True, True, False, True, False]
    assert found["help"].startswith("Usage: ")


DOCKERMACHINE_CLI_JS = """
const { DockerMachine, Options } = require("dockermachine-cli-js");
const machine = new DockerMachine(new Options());
(async () => {
  const found = {};
  found.ls = (await machine.command("ls")).machineList;
  found.config = (await machine.command("config dev")).machine;
  found.inspect = (await machine.command("inspect dev")).machine.Name;
  found.ip = JSON.parse((await machine.command("ip dev")).raw);
  console.log(JSON.stringify(found));
})();
"""


def test_dockermachine_cli_js(fleet: StoreWithEngines, tmp_path: Path) -> None:
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("needs node and npm")
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."]
    fetched([*npm, "dockermachine-cli-js"], "dockermachine-cli-js", tmp_path)
    environ = {**fleet.environ, "PATH": f"{fleet.directory / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["node", "-e", DOCKERMACHINE_CLI_JS], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    url, home = fleet.store.load("dev").url(), fleet.store.directory("dev")
    row = next(row for row in found["ls"] if row["name"] == "dev")
    assert (row["driver"], row["state"], row["url"], row["docker"]) == ("none", "Running", url, "v20.10.24")
    assert (found["config"]["host"], found["config"]["port"]) == ("127.0.0.1", url.rpartition(":")[2])
    assert found["config"]["tlscacert"] == f"{home}/ca.pem"
    assert found["config"]["tlsverify"] is True
    assert (found["inspect"], found["ip"]) == ("dev", "127.0.0.1\n")
