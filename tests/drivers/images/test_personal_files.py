"""What is one machine's alone: neither a machine of a template nor a clone has it, and no share shows it.

A template is saved of a machine that was just made, a clone is made of one that was used, and a share is of this
computer's own home directories: so their lists differ. What they have in common is held here.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.drivers.images import clone_identity, template_agent
from machine.share import credentials

OWN = "of the source\n"
COMMON = (
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    *("etc/ssh/ssh_host_ed25519_key", "etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub"),
    *("root/.ssh/authorized_keys", "home/machine/.ssh/id_ed25519"),
    *("var/lib/docker/engine-id", "var/lib/docker/swarm/docker-state.json", "etc/docker/key.json"),
    "var/lib/containerd/io.containerd.grpc.v1.introspection/uuid",
    *("etc/docker/ca.pem", "etc/docker/server.pem", "etc/docker/server-key.pem"),
    *("var/lib/systemd/random-seed", "var/lib/systemd/credential.secret", "boot/efi/loader/random-seed"),
    *("var/lib/dhcp/dhclient.eth0.leases", "var/lib/dhcpcd/eth0.lease", "var/lib/dhcpcd/duid"),
    *("var/lib/NetworkManager/internal-1-eth0.lease", "var/lib/NetworkManager/secret_key"),
    *("var/lib/wicked/lease-eth0-dhcp-ipv4.xml", "etc/iscsi/initiatorname.iscsi"),
    *("etc/nvme/hostnqn", "etc/nvme/hostid"),
    "var/lib/cloud/instances/iid-source/user-data.txt",
)
OF_A_CLONE = (  # of a machine that was used
    *(
        "srv/docker/engine-id",
        "mnt/docker/engine-id",
        "mnt/docker/containerd/daemon/io.containerd.x.introspection/uuid",
    ),
    *("etc/machine-swarm.env", "var/lib/machine-swarm/swarm.key", "etc/systemd/system/machine-swarm-agent.service"),
    "srv/people/ann/.ssh/authorized_keys",
)
KEPT = (  # what a clone is made for
    *("var/lib/docker/volumes/data/_data/file", "srv/docker/image/x", "home/machine/work", "etc/ssh/sshd_config"),
    *("var/lib/cloud/instances/iid-clone/user-data.txt", "var/lib/containerd/io.containerd.content.v1.content/x"),
)
ID = "ab" * 16


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The files of a machine."""
    made = tmp_path / "root"
    for name in (*COMMON, *OF_A_CLONE, *KEPT):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(OWN)
    (made / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 source\n")
    (made / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\nann:x:1001:1001::/srv/people/ann:/bin/sh\n")
    (made / "etc/docker/daemon.json").write_text('{"data-root": "/srv/docker"}\n')
    dropin = made / "etc/systemd/system/docker.service.d/10-machine.conf"
    dropin.parent.mkdir()
    dropin.write_text("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --data-root=/mnt/docker --tls\n")
    return made


def left(root: Path, names: tuple[str, ...]) -> list[str]:
    """Which of these files are as they were."""
    return [name for name in names if (root / name).exists() and (root / name).read_text() == OWN]


def test_a_template_has_none_of_it(root: Path) -> None:
    template_agent.remove_personal(str(root))
    assert left(root, COMMON) == []
    assert (root / "etc/machine-id").read_text() == "", "systemd makes one of its own where it is empty"
    assert (root / "etc/iscsi/initiatorname.iscsi").read_text() == "GenerateName=yes\n"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("iqn.1993-08.org.debian:01:ab12", "InitiatorName=iqn.1993-08.org.debian:01:ab12\n"),
        ("", "GenerateName=yes\n"),
        ("iscsi-iname: cannot open /dev/urandom", "GenerateName=yes\n"),
    ],
)
def test_a_copy_of_a_template_gets_a_name_for_iscsi_if_it_has_one(tmp_path: Path, said: str, written: str) -> None:
    path = tmp_path / "initiatorname.iscsi"
    template_agent.write_iscsi_name(said, str(path))
    assert not path.exists()
    path.write_text(OWN)
    template_agent.write_iscsi_name(said, str(path))
    assert path.read_text() == written


def test_a_link_to_the_machine_id_stays(root: Path) -> None:
    link = root / "var/lib/dbus/machine-id"
    link.unlink()
    link.symlink_to("/etc/machine-id")
    template_agent.remove_personal(str(root))
    assert link.is_symlink()


def in_root(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command with `root` as the root directory, and this computer's programs in it."""
    mounts = []
    for name in ("usr", "bin", "sbin", "lib", "lib64"):
        there, own = Path("/", name), root / name
        if there.is_symlink():
            own.symlink_to(os.readlink(there))
        elif there.is_dir():
            own.mkdir()
            mounts.append(f"mount --bind /{name} {own}")
    for name in ("dev", "stub"):
        (root / name).mkdir()
    (root / "dev/null").touch()
    stub = root / "stub/systemctl"
    stub.write_text('#!/bin/sh\necho "$*" >>/systemctl.log\n')
    stub.chmod(0o755)
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    script = " && ".join([*mounts, f'exec chroot {root} "$@"'])
    environ = {"PATH": "/stub:/usr/sbin:/usr/bin:/sbin:/bin", "INSTANCE_ID": "iid-clone"}
    argv = ["unshare", "--mount", *mapped, "sh", "-c", script, "sh", *words]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=60, check=False)


def namespaces() -> bool:
    """Whether this user may make a mount namespace."""
    mapped = [] if os.geteuid() == 0 else ["--map-root-user"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(
            ["unshare", "--mount", *mapped, "true"], capture_output=True, check=False, timeout=60
        ).returncode
    )


@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made (unshare --mount)")
def test_a_clone_has_none_of_it_and_keeps_what_it_is_made_for(root: Path) -> None:
    (command,) = clone_identity.first_boot("-".join([ID[:8], *[ID[:4]] * 3, ID[:12]]))
    assert command[:3] == ("cloud-init-per", "instance", "machine-clone")
    done = in_root(root, *command[3:])
    assert (done.returncode, done.stderr) == (0, "")
    assert left(root, (*COMMON, *OF_A_CLONE)) == []
    assert left(root, KEPT) == list(KEPT)
    assert (root / "etc/machine-id").read_text() == f"{ID}\n"
    assert (root / "etc/hosts").read_text() == "127.0.0.1 localhost\n"
    assert (root / "etc/iscsi/initiatorname.iscsi").read_text() != ""
    assert "ConditionPathExists" in (root / "run/systemd/system/docker.service.d/00-clone.conf").read_text()
    assert (root / "systemctl.log").read_text() == "daemon-reload\n"


def test_no_share_shows_keys_tls_files_or_what_was_typed() -> None:
    """Of home directories that is what templates and clones lose, and docker's own directory beside."""
    assert {".ssh", ".docker"} <= set(credentials.HIDDEN)
    typed = [name for name in credentials.HIDDEN if name.endswith("_history")]
    patterns = [pattern for pattern in template_agent.PERSONAL if pattern.startswith("/home/")]
    for name in (".ssh", *typed):
        assert any(fnmatch.fnmatch(f"/home/machine/{name}", pattern) for pattern in patterns), name
