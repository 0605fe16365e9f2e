"""`create -d generic` onto booted hosts that have Docker, `provision` again, and `scp`, beside other ways to it."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.bench.figures import Row, Samples, interleaved
from tests.bench.subject import PEER, Subject, timed
from tests.labs.image import LabUnavailable
from tests.labs.nspawn import Host, Lab
from tests.provision.hosts import settled

LOG = "var/log/sshd.log"
MEGABYTES = 200

# sshd tells of every connection and session, into a file that can be read without logging in.
VERBOSE = f"""
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\\nExecStart=\\nExecStart=/usr/sbin/sshd -D -o LogLevel=VERBOSE -E /{LOG}\\n' \\
    >/etc/systemd/system/ssh.service.d/bench.conf
systemctl daemon-reload && systemctl restart ssh
"""
# Without these docker-machine cannot set up Debian 12's Docker: it expects /usr/bin/dockerd, and no socket unit.
FOR_THE_PEER = """
ln -sf /usr/sbin/dockerd /usr/bin/dockerd
mkdir -p /etc/systemd/system/docker.socket.d
printf '[Unit]\\nPartOf=docker.service\\n' >/etc/systemd/system/docker.socket.d/bench.conf
systemctl daemon-reload
"""


class Hosts:
    """Boots a host for each create, and remembers what their sshd saw."""

    def __init__(self, lab: Lab, subject: Subject) -> None:
        self.lab, self.subject = lab, subject
        self.number = itertools.count(1)
        self.seen: dict[str, set[tuple[int, int, int]]] = {}
        self.last: dict[str, tuple[Host, str]] = {}

    def create(self, who: str) -> float:
        """Seconds of one create onto a fresh host; the host of the last one stays."""
        if who in self.last:
            self.lab.drop(self.last.pop(who)[0]).join()
        name = f"bench{next(self.number)}"
        host = self.lab.host(name, engine="running")
        settled(host)
        host.run(VERBOSE + (FOR_THE_PEER if self.subject.peer else ""))
        self.last[who] = (host, name)
        log = host.root / LOG
        log.write_text("")
        flags = ["--generic-ip-address", host.address, "--generic-ssh-key", host.key]
        took = self.run(who, "create", "-d", "generic", *flags, name)
        self.seen.setdefault(who, set()).add(contacts(log))
        return took

    def provision(self, who: str) -> float:
        """Seconds of provisioning the last host again."""
        log = self.last[who][0].root / LOG
        log.write_text("")
        took = self.run(who, "provision", self.last[who][1])
        self.seen.setdefault(f"{who} provision", set()).add(contacts(log))
        return took

    def copy(self, who: str, source: str) -> float:
        """Seconds of copying a file to the last host."""
        return self.run(who, "scp", source, f"{self.last[who][1]}:/tmp/{who}")

    def run(self, who: str, *words: str) -> float:
        """One command of ours or of the peer's."""
        act = self.subject.ours if who == "ours" else self.subject.theirs
        return act(*words, store=f"create-{who}")

    def told(self, key: str) -> str:
        """What the hosts' sshd saw, for a remark."""
        return "; ".join(
            f"{commands} round trips on {logins} ssh connection{'s' * (logins != 1)}, {looks - logins} other looks"
            for looks, logins, commands in sorted(self.seen.get(key, ()))
        )


def contacts(log: Path) -> tuple[int, int, int]:
    """(connections, logins on them, commands run) since the log was emptied."""
    text = log.read_text(errors="replace")
    said = (r"^Connection from ", r"^Accepted publickey ", r"^Starting session: ")
    connections, logins, commands = (len(re.findall(words, text, re.M)) for words in said)
    return connections, logins, commands


def rows(subject: Subject) -> Iterator[Row]:
    """create, provision and scp; one row that says why where no host can be booted."""
    try:
        lab = Lab()
    except LabUnavailable as why:
        yield Row("create -d generic", Samples(), remark=f"not measured: {why}")
        return
    with lab:
        hosts = Hosts(lab, subject)
        who = ["ours", *[PEER] * bool(subject.peer)]
        found = interleaved(subject.runs, {name: partial(hosts.create, name) for name in who})
        yield from _rows("create -d generic, Docker there", found, hosts, "", "1.5 s, 3 round trips")
        if found["ours"].failure:
            return
        who = [name for name in who if not found[name].failure]
        found = interleaved(subject.runs, {name: partial(hosts.provision, name) for name in who})
        yield from _rows("provision, nothing to do", found, hosts, " provision", "0.7 s")
        yield from _copies(subject, hosts, who)


def _rows(what: str, found: dict[str, Samples], hosts: Hosts, key: str, aim: str) -> Iterator[Row]:
    """Ours, with the peer beside it if it was run."""
    remark = hosts.told("ours" + key)
    if PEER in found:
        remark += f" (theirs: {hosts.told(PEER + key)})"
    yield Row(what, found["ours"], PEER * (PEER in found), found.get(PEER, Samples()), aim, remark)


def _copies(subject: Subject, hosts: Hosts, who: list[str]) -> Iterator[Row]:
    """A file of random bytes to the host, by us, by the peer and by plain scp."""
    source = subject.place / "file"
    with open("/dev/urandom", "rb") as noise, source.open("wb") as file:
        for _ in range(MEGABYTES):
            file.write(noise.read(2**20))
    host, _ = hosts.last["ours"]
    scp = [shutil.which("scp") or "scp", *host.ssh()[1:-1]]
    scp[scp.index("-p")] = "-P"
    plain = [*scp, str(source), f"root@{host.address}:/tmp/plain"]
    calls = {name: partial(hosts.copy, name, str(source)) for name in who}
    calls["plain"] = partial(timed, plain, {**os.environ})
    found = interleaved(subject.runs, calls)
    yield Row(f"scp of {MEGABYTES} MB", found["ours"], "plain scp", found["plain"])
    if PEER in who:
        yield Row(f"scp of {MEGABYTES} MB", found["ours"], PEER, found[PEER])
