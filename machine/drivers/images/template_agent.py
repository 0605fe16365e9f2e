"""The template agent: makes a fresh machine ready to be copied, and gives each copy an identity of its own.

Runs inside the machine, as root, from memory (/run), with Python's own library only (3.7 or newer). It goes there as
text. What it says and is told are JSON lines over the virtio serial port:

    {"template": "ready"}                         every second, from when the machine may be saved
    {"template": "failed", "reason": "..."}       it cannot become a template
    {"identity": {...}}                           to it, in a copy: see qemu/identity.py
    {"identity": "taken"}                         the copy is a machine of its own now; the agent ends

A machine that is saved has no host key, no authorized key, no machine-id, no engine and no log: whatever is unique is
made after the copy was started, from what only that copy is told.
"""

from __future__ import annotations

import contextlib
import fcntl
import glob
import json
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

PORT = "/dev/virtio-ports/machine.ports"
LONGEST = 1 << 20  # bytes of a line
SECONDS = 300.0  # for one command
ADD_ENTROPY, RESEED = 0x40085203, 0x5207  # RNDADDENTROPY and RNDRESEEDCRNG of random(4)
MASKS = "/run/machine/identity"  # what is shown in the place of the kernel's own words about the saved machine
CONTAINERD = "containerd.service"
ENGINE = ("docker.service", "docker.socket", CONTAINERD)
LOGIN = ("ssh.socket", "ssh.service")
PORTS = "machine-ports.service"  # of the port reporter, which has the serial port otherwise
ONCE = ("apt-daily.service", "apt-daily-upgrade.service")  # their timers start them
QUIET = (
    *("systemd-timesyncd.service", "systemd-timesyncd.timer", "fstrim.timer", "logrotate.timer", "man-db.timer"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", *ONCE),
)
PERSONAL = (  # of the machine that is saved; the engine's directories are empty, for it made them new just now
    *("/etc/ssh/ssh_host_*", "/root/.ssh", "/home/*/.ssh", "/root/.*_history", "/home/*/.*_history"),
    *("/var/lib/docker/*", "/var/lib/containerd/*", "/etc/docker/key.json", "/etc/docker/*.pem"),
    *("/var/lib/cloud", "/run/cloud-init/*data*", "/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret"),
    *("/boot/loader/random-seed", "/boot/efi/loader/random-seed", "/efi/loader/random-seed"),
    *("/var/lib/dhcp/*", "/var/lib/dhcpcd/*", "/var/lib/wicked/*", "/run/systemd/netif/leases/*"),
    "/var/lib/NetworkManager/*lease*",
    *("/etc/nvme/hostnqn", "/etc/nvme/hostid"),  # without them the names come from the uuid of the machine
    *("/var/lib/NetworkManager/secret_key", "/var/lib/wtmpdb/*", "/var/lib/lastlog/*"),
    *("/tmp/*", "/tmp/.[!.]*", "/var/tmp/*"),  # noqa: S108 (names of no file that is made)
    *("/var/cache/apt/archives/*.deb",),
)
ISCSI_NAME = "/etc/iscsi/initiatorname.iscsi"  # open-iscsi does not start without it
DBUS_ID = "/var/lib/dbus/machine-id"  # a link to /etc/machine-id in most places
LOGS = ("/var/log/journal", "/run/log/journal")


def run(*words: str, seconds: float = SECONDS, check: bool = False) -> str:
    """Run a program and return what it printed. Raises RuntimeError, with that, if it fails and `check` is set."""
    try:
        ended = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if check:
            raise RuntimeError(f"{words[0]}: {error}") from None
        return ""
    printed = ended.stdout.decode("utf-8", "replace").strip()
    if check and ended.returncode:
        raise RuntimeError(f"{words[0]}: {printed[-2000:] or ended.returncode}")
    return printed


def remove(patterns: Iterable[str]) -> None:
    """Remove files and directories; what is not there is fine."""
    for pattern in patterns:
        for path in glob.glob(pattern):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(path)


def remove_personal(root: str = "") -> None:
    """Remove what is the saved machine's own, below `root`; the machine-id is empty then, so that another is made."""
    remove(root + pattern for pattern in PERSONAL)
    if not os.path.islink(root + DBUS_ID):
        remove([root + DBUS_ID])
    with open(root + "/etc/machine-id", "w"):
        pass
    write_iscsi_name("", root + ISCSI_NAME)


def write_iscsi_name(name: str, path: str = ISCSI_NAME) -> None:
    """Write the machine's name for iSCSI where it has one; without `name`, open-iscsi makes one when it starts.

    Two machines that log in to one disk by the same name destroy what is on it.
    """
    if os.path.exists(path):
        with open(path, "w") as file:
            file.write(f"InitiatorName={name}\n" if name.startswith("iqn.") else "GenerateName=yes\n")


def empty_logs() -> None:
    """Remove the journal, and empty the other logs, whose owners and modes stay."""
    run("journalctl", "--rotate")
    for directory in LOGS:
        remove([directory + "/*/*"])
    for path in glob.glob("/var/log/**", recursive=True):
        if os.path.isfile(path) and not os.path.islink(path) and "/journal/" not in path:
            os.truncate(path, 0)
    run("dmesg", "--clear")


def prepare() -> list[str]:
    """Bring the machine to where it may be saved: Docker was up once, and nothing is personal.

    Returns the units that were stopped and are to be started in a copy.
    """
    run("systemctl", "start", "docker.service", check=True)  # what it reads is in memory then
    run("systemctl", "stop", *ENGINE, check=True)
    run("systemctl", "reset-failed", *ENGINE)  # one start less to count
    stopped = [*LOGIN, *QUIET]
    active = run("systemctl", "is-active", *stopped).split()
    run("systemctl", "stop", *stopped)
    run("ip", "link", "delete", "docker0")
    match_by_name("nat0")
    tell("/proc/sys/net/ipv4/conf/nat0/arp_notify", "1")  # qemu's NAT learns a card's address from what the card sends
    remove_personal()
    empty_logs()
    os.sync()
    run("fstrim", "/")
    again = [unit for number, unit in enumerate(stopped) if active[number : number + 1] == ["active"]]
    return [unit for unit in again if unit not in ONCE]


def match_by_name(card: str) -> None:
    """Have networkd know a card by its name: one that has got another address than its file says is let go."""
    for path in glob.glob("/etc/systemd/network/*.network") + glob.glob("/run/systemd/network/*.network"):
        with open(path) as file:
            lines = file.read().split("\n")
        kept = [line for line in lines if not line.startswith(("MACAddress=", "PermanentMACAddress="))]
        if card in os.path.basename(path) and kept != lines:
            kept.insert(kept.index("[Match]") + 1, "Name=" + card)
            replace(path, "\n".join(lines), "\n".join(kept))
    run("networkctl", "reload")


class Port:
    """The virtio serial port, in lines."""

    def __init__(self) -> None:
        self.descriptor = os.open(PORT, os.O_RDWR | os.O_NONBLOCK)
        self.arrived = b""

    def say(self, message: dict[str, Any]) -> None:
        """Write a line; nothing is lost if nobody listens, for it is said again."""
        with contextlib.suppress(OSError):
            os.write(self.descriptor, json.dumps(message).encode() + b"\n")

    def line(self, seconds: float) -> dict[str, Any] | None:
        """A message, None if none came in time."""
        ready, _, _ = select.select([self.descriptor], [], [], seconds)
        if ready:
            try:
                data = os.read(self.descriptor, 65536)
            except OSError:
                data = b""
            if not data:  # nobody is at the other end: the port is readable all the time then
                time.sleep(min(seconds, 0.02))
            self.arrived = (self.arrived + data)[-LONGEST:]
        line, newline, rest = self.arrived.partition(b"\n")
        if not newline:
            return None
        self.arrived = rest
        try:
            message = json.loads(line.decode())
        except ValueError:
            return None
        return message if isinstance(message, dict) else None


def write(path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
    """Write a file, never readable by more than `mode` says, and give it to `owner`."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.chmod(path, mode)
    shutil.chown(path, owner, owner)


def become(identity: dict[str, Any], units: Sequence[str]) -> None:
    """Become the machine that `identity` describes; everything may be done twice. `units` were active before."""
    seed_random(bytes.fromhex(identity["entropy"]))
    time.clock_settime(time.CLOCK_REALTIME, identity["time"])
    before = socket.gethostname()
    name = identity["hostname"]
    write("/etc/machine-id", identity["machine_id"] + "\n", 0o444)
    show("/proc/sys/kernel/random/boot_id", identity["boot_id"])
    show("/sys/class/dmi/id/product_uuid", identity["uuid"])
    socket.sethostname(name)
    write("/etc/hostname", name + "\n")
    write_iscsi_name(run("iscsi-iname"))
    rename("/etc/hosts", before, name)
    write("/etc/ssh/ssh_host_ed25519_key", identity["host_key"], 0o600)
    write("/etc/ssh/ssh_host_ed25519_key.pub", identity["host_key_public"] + "\n")
    user = identity["user"]
    home = os.path.expanduser("~" + user)
    if not os.path.isabs(home):
        raise RuntimeError(f"there is no user {user}")
    os.makedirs(home + "/.ssh", 0o700, exist_ok=True)
    shutil.chown(home + "/.ssh", user, user)
    write(home + "/.ssh/authorized_keys", identity["authorized_key"] + "\n", 0o600, user)
    cards(identity)
    run("systemctl", "start", "--no-block", *[unit for unit in units if unit in LOGIN], check=True)


def settle(identity: dict[str, Any], units: Sequence[str]) -> None:
    """Do what may come later than the first login: the journal, the size of the disk, the other units.

    containerd has nothing of the engine's configuration: it starts while the login is awaited. The port reporter comes
    last, for its unit ends this one.
    """
    run("systemctl", "start", "--no-block", CONTAINERD)
    run("systemctl", "restart", "systemd-journald.service")
    journals = [path for directory in LOGS for path in glob.glob(directory + "/*")]
    remove([path for path in journals if not path.endswith(identity["machine_id"])])
    if identity.get("grow"):
        run("/usr/lib/systemd/systemd-growfs", "/")
    if later := [unit for unit in units if unit not in LOGIN]:
        run("systemctl", "start", "--no-block", *later)
    run("systemctl", "start", "--no-block", PORTS)


def tell(path: str, word: str) -> None:
    """Write a word to a file of the kernel's, if there is one."""
    with contextlib.suppress(OSError), open(path, "w") as file:
        file.write(word)


def seed_random(seed: bytes) -> None:
    """Mix `seed` into the kernel's random numbers and have it begin anew from them: no other copy was given it."""
    with open("/dev/urandom", "wb", buffering=0) as device:
        fcntl.ioctl(device, ADD_ENTROPY, struct.pack(f"ii{len(seed)}s", len(seed) * 8, len(seed), seed))
        fcntl.ioctl(device, RESEED)


def show(path: str, text: str) -> None:
    """Have `path` of the kernel's, which is what it was in the saved machine, read as `text` until the next boot."""
    if not os.path.exists(path):
        return
    shown = os.path.join(MASKS, os.path.basename(path))
    write(shown, text + "\n", os.stat(path).st_mode & 0o444)
    run("umount", path)
    run("mount", "--bind", shown, path, check=True)


def rename(path: str, before: str, after: str) -> None:
    """Replace a name in a file, as a whole word."""
    try:
        with open(path) as file:
            text = file.read()
    except OSError:
        return
    write(path, re.sub(rf"(?<!\S){re.escape(before)}(?!\S)", after, text))


def cards(identity: dict[str, Any]) -> None:
    """Give the cards the machine's own addresses. The file of the second comes from cloud-init, at the next boot."""
    run("ip", "link", "set", "dev", "nat0", "address", identity["nat_mac"], check=True)
    run("ip", "-6", "address", "flush", "dev", "nat0", "scope", "link")
    for mode in ("1", "0"):  # none, and again one made of the address of the card
        tell("/proc/sys/net/ipv6/conf/nat0/addr_gen_mode", mode)
    card = card_of((identity["template_lan_mac"], identity["lan_mac"]))
    run("ip", "link", "set", "dev", card, "down")
    run("ip", "link", "set", "dev", card, "address", identity["lan_mac"], "name", "lan0", check=True)
    run("ip", "link", "set", "dev", "lan0", "up")
    run("ip", "address", "flush", "dev", "lan0", "scope", "global")
    run("ip", "address", "add", f"{identity['peer']}/{identity['bits']}", "dev", "lan0", check=True)


def card_of(addresses: Sequence[str]) -> str:
    """Return the name of the card that has one of these MAC addresses."""
    for path in glob.glob("/sys/class/net/*/address"):
        with open(path) as file:
            if file.read().strip() in addresses:
                return path.split("/")[4]
    raise RuntimeError(f"there is no card with the address {addresses[0]}")


def replace(path: str, before: str, after: str) -> None:
    """Replace a text in a file that may not have it."""
    with open(path) as file:
        text = file.read()
    if before in text:
        status = os.stat(path)
        write(path, text.replace(before, after), status.st_mode & 0o777)
        os.chown(path, status.st_uid, status.st_gid)


def main() -> None:
    """Prepare, then wait to be told who this is."""
    port, units = Port(), []
    try:
        units = prepare()
        status: dict[str, Any] = {"template": "ready"}
    except Exception as error:  # whatever it is, the host is told
        status = {"template": "failed", "reason": str(error)[-2000:]}
    while True:
        port.say(status)
        message = port.line(1.0)
        if message is None or not isinstance(message.get("identity"), dict):
            continue
        identity = message["identity"]
        try:
            become(identity, units)
        except Exception as error:
            status = {"identity": "refused", "reason": str(error)[-2000:]}
            continue
        port.say({"identity": "taken"})
        os.close(port.descriptor)
        settle(identity, units)
        return


if __name__ == "__main__":
    main()
