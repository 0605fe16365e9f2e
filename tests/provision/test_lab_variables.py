"""A real host whose docker.service gets flags from variables, and systemd's own view of such variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.errors import ProvisionError
from machine.provision import units, variables
from machine.provision.host_files import DAEMON_JSON, DROP_IN
from tests.provision.hosts import Boot, ask, provision, wishes

pytestmark = pytest.mark.lab

FILE = "/etc/default/docker"
OPTIONS = """\
# as an administrator wrote it
DOCKER_OPTS="--label env=prod --label 'rack=7' --insecure-registry reg.example:5000 \\
  --dns 10.0.0.53 --tlsverify --tlscacert=/nowhere/ca.pem --default-address-pool base=10.9.0.0/16,size=24"
"""
ODD = """\
A="--x 'b c' d" ; not a comment
B='single "q" $A'"and \\"more\\" \\z"
C=plain\\ space "kept"
  D  =  padded\t
E=
export F=no
#G=no
H=a\\
b
"""
WORDS = ("$A", "${A}", "x${B}y", "$B", "$C", "${D}", "$E", "$NONE", "$$A", "--o=$A", '"$A"', "'${C}'", "${H}")


def test_systemd_expands_as_is_expected_here(boot: Boot) -> None:
    host = boot("oracle", engine="off")
    host.run("cat >/etc/odd.env", stdin=ODD)
    unit = (
        '[Service]\nType=oneshot\nEnvironmentFile=-/etc/odd.env\nEnvironment=A=overridden "I=in unit"\n'
        f'ExecStart=/bin/sh -c \'printf "<%%s>" "$@" >/run/odd.out\' odd {" ".join(WORDS)} $I\n'
    )
    host.run("cat >/etc/systemd/system/odd.service && systemctl daemon-reload && systemctl start odd", stdin=unit)
    found = variables.from_units([("/x", unit)], units.specifiers("odd", "", "")) | variables.from_file(ODD)
    meant = [word.strip("\"'") for word in (*WORDS, "$I")]
    ours = [part for word in meant for part in variables.expand(word, found)]
    assert host.run("cat /run/odd.out") == "".join(f"<{part}>" for part in ours)


def test_flags_in_a_debian_hosts_variable_are_taken_over(boot: Boot, tmp_path: Path) -> None:
    host = boot("variables", engine="off")
    host.run(f"cat >{FILE}", stdin=OPTIONS)
    host.run(f"mkdir -p /etc/docker && cat >{DAEMON_JSON}", stdin='{"proxies-note": 1}')
    with pytest.raises(ProvisionError, match="restart the engine"):  # the host's own fault stays its own
        provision(host, wishes(host))
    mine = "\ufeff" + json.dumps({"log-opts": {"max-size": "1m"}, "default-ulimits": {}})
    host.run(f"cat >{DAEMON_JSON}", stdin=mine)
    spec = wishes(host, labels=("colour=blue",), flags=("default-ulimit=nofile=64:64",))
    outcome = provision(host, spec)
    assert any(f"DOCKER_OPTS of {FILE}" in note for note in outcome.notes)
    info = ask(host, tmp_path, "/info")
    assert {"env=prod", "rack=7", "provider=generic", "colour=blue"} == set(info["Labels"])
    assert "reg.example:5000" in info["RegistryConfig"]["IndexConfigs"]
    assert info["DefaultAddressPools"] == [{"Base": "10.9.0.0/16", "Size": 24}]
    line = host.run("tr '\\0' ' ' </proc/$(cat /run/docker.pid)/cmdline")
    assert "--dns 10.0.0.53" in line
    assert "/nowhere" not in line
    assert provision(host, spec).executed == ()
    host.run(f"cat >{FILE}", stdin="DOCKER_OPTS='--debug'\n")
    provision(host, spec)
    assert "$DOCKER_OPTS" in host.run(f"cat {DROP_IN}")
