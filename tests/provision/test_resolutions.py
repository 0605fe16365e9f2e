"""Each known cause of a failure has a resolution, from the words of package managers, systemd and the kernel."""

from __future__ import annotations

import shlex

import pytest

from machine.errors import ProvisionError
from machine.provision import script
from machine.provision.apply import run_batch
from machine.provision.resolutions import resolution_for, without_again
from machine.provision.steps import Run
from tests.provision.test_apply import LocalShell

SAID = {
    "E: dpkg was interrupted, you must manually run 'sudo dpkg --configure -a' to correct the problem.": "dpkg --conf",
    "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem.": "dpkg --configure",
    "The following packages have unmet dependencies:\n containerd.io : Conflicts: containerd\n": "package containerd ",
    "The following packages have unmet dependencies:\n podman : Depends: x\n containerd.io : Conflicts: runc": " runc ",
    "dpkg: error processing: trying to overwrite '/bin/docker', which is also in package docker.io 20": "docker.io ",
    "  - package containerd.io-1.6.8-3.1.el9.x86_64 conflicts with runc provided by runc-4": "package runc ",
    "  file /bin/runc from install of containerd.io-1 conflicts with file from package runc-1": " runc-1 ",
    " Problem: problem with installed package podman-docker-4.4.1-3.el9.noarch": "package podman-docker-4.4.1",
    ":: docker and podman-docker are in conflict. Remove podman-docker? [y/N]": "package podman-docker ",
    "Failed to restart docker.service: Unit docker.socket is masked.": "systemctl unmask docker.socket",
    "sh: 5: cannot create /etc/systemd/system/x.conf: Read-only file system": "/etc/systemd/system/x.conf is on",
    "touch: cannot touch '/etc/hostname': Read-only file system": "/etc/hostname is on",
    "cp: error writing '/etc/docker/x': No space left on device": "df -h",
    "sh: 222: mktemp: Permission denied": "may not run mktemp: sudo's noexec",
    "sh: line 9: /usr/bin/mktemp: Permission denied": "may not run /usr/bin/mktemp",
    "mv: cannot move '/etc/x.machine-new' to '/etc/x': Device or resource busy": "/etc/x is mounted",
    "the engine did not answer within 180 s after its restart (it is still starting)": "less busy; then: machine prov",
    "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 12 (apt-get)": "another package manager",
}


@pytest.mark.parametrize("said", SAID)
def test_a_cause_has_its_resolution(said: str) -> None:
    assert SAID[said] in resolution_for(said)


@pytest.mark.parametrize(
    ("said", "resolution"), [("nothing known", "do y"), ("cp: error writing '/x': No space left on device", "df -h")]
)
def test_an_unknown_cause_leaves_the_resolution_of_the_step(
    monkeypatch: pytest.MonkeyPatch, said: str, resolution: str
) -> None:
    monkeypatch.setattr(script, "as_root", lambda text: text)  # the tests may run as another user
    assert resolution_for("E: Unable to locate package docker.io") == ""
    with pytest.raises(ProvisionError) as caught:
        run_batch([Run("x", f"echo {shlex.quote(said)}\nexit 1", resolution="do y")], LocalShell())
    assert (caught.value.brief, caught.value.details) == ("failed to x", said)
    assert resolution in caught.value.resolution


@pytest.mark.parametrize(
    ("advice", "left"),
    [
        ("make room on its disk; then: machine provision w1", "make room on its disk"),
        ("when it has ended, then: machine provision NAME", "when it has ended"),
        ("machine provision w1", "machine provision w1"),
        ("", ""),
    ],
)
def test_a_machine_that_is_not_made_yet_is_not_provisioned_but_resumed(advice: str, left: str) -> None:
    assert without_again(advice) == left
