"""A machine that is made of another one's snapshot: its disk, with an identity of its own from the first boot on."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from machine.drivers import record_keys
from machine.drivers.base import Driver, DriverContext
from machine.drivers.images import disks, image_usage, qcow2_snapshots
from machine.drivers.images.templates import DIRECTORY as TEMPLATES
from machine.drivers.qemu import paths, vm
from machine.drivers.qemu.base_image import BaseImage
from machine.drivers.qemu.config import Settings
from machine.errors import CommandFailed, DriverError, UsageError

COPY_SECONDS = 1800.0  # for a large disk
CHANGEABLE = {  # option -> field of Settings: what a clone may have that its source has not
    "qemu-memory": "memory",
    "qemu-cpu-count": "cpus",
    "qemu-disk-size": "disk",
    "qemu-boot-timeout": "boot_timeout",
    "qemu-publish": "publish",
    "qemu-accel": "accel",
    "qemu-program": "program",
}
# What is the source's alone, removed before sshd and the engine are started; cloud-init then makes keys and users as on
# any first boot. The engine waits for certificates of its own. A snapshot may be older than the source's leave of a
# cluster.
_SCRIPT = """
printf '%s\\n' {machine_id} >/etc/machine-id
sed -i '/^127\\.0\\.1\\.1[[:space:]]/d' /etc/hosts
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
rm -rf /etc/ssh/ssh_host_* /root/.ssh /home/*/.ssh
cut -d: -f6 /etc/passwd | sort -u | while IFS= read -r home; do rm -rf "$home/.ssh"; done
find /var/lib/cloud/instances -mindepth 1 -maxdepth 1 ! -name "$INSTANCE_ID" -exec rm -rf '{{}}' + 2>/dev/null
{{
    echo /var/lib/docker
    cat /etc/docker/daemon.json /etc/systemd/system/docker.service.d/*.conf 2>/dev/null \\
        | sed -n -e 's|.*"data-root" *: *"\\(/[^"]*\\)".*|\\1|p' -e 's|.*--data-root[= ]"*\\(/[^" ]*\\).*|\\1|p'
}} | while IFS= read -r root; do rm -rf "$root/engine-id" "$root/swarm"; done
rm -rf /etc/docker/*.pem /etc/docker/key.json
rm -rf /etc/machine-swarm.env /var/lib/machine-swarm /etc/systemd/system/machine-swarm-*.service
rm -rf /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/dhcp/* /var/lib/NetworkManager/*lease*
mkdir -p /run/systemd/system/docker.service.d
printf '[Unit]\\nConditionPathExists=/etc/docker/server.pem\\n' >/run/systemd/system/docker.service.d/00-clone.conf
systemctl daemon-reload
"""


def settings(source: Settings, own: Settings, typed: Collection[str]) -> Settings:
    """Return what a clone of `source` shall be: as that, but for the options `typed`, whose values `own` has.

    Ports are not published twice, so those of the source are left out. Raises UsageError for an option that only a
    machine of an image can have, and for a disk smaller than the source's.
    """
    for name in typed:
        if name.startswith("qemu-") and name not in CHANGEABLE:
            raise UsageError(f"--{name} has no effect with --from: a clone has it from its source")
    changed = {field: getattr(own, field) for name, field in CHANGEABLE.items() if name in typed}
    wanted = replace(source, **{"publish": (), **changed})
    if wanted.disk < source.disk:
        raise UsageError(
            f"--qemu-disk-size {wanted.disk} is less than the disk of the machine that is cloned ({source.disk} MB)",
            resolution=f"--qemu-disk-size {source.disk}, or more, or leave it out",
        )
    return wanted


def check_size(source: DriverContext, tag: str) -> None:
    """Raise UsageError if the disk of the source was larger at the snapshot than it is now.

    qemu-img copies a snapshot as far as the disk goes now, so the clone would have part of a file system.
    """
    disk = os.path.join(source.directory, paths.DISK)
    then, now = qcow2_snapshots.disk_size(disk, f"machine-{tag}"), disks.inspect(disk).size
    if then > now:
        raise UsageError(
            f"the disk of {source.name} was larger at {tag} ({then >> 20} MB) than it is now ({now >> 20} MB)",
            resolution=f"make it as large again: machine set --qemu-disk-size {then >> 20} {source.name}",
        )


def record(source_name: str, source: dict[str, Any], tag: str) -> dict[str, Any]:
    """Return what the record of a clone has of the record `source` and of the snapshot it is made of."""
    kept = {key: source[key] for key in (record_keys.BASE, record_keys.TEMPLATE_DISK, "Unrandomized") if key in source}
    return {**kept, record_keys.CLONE_OF: {"Machine": source_name, "Snapshot": tag}}


def first_boot(uuid: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that a clone runs before anything else, at its first boot only. `uuid` is its own."""
    script = _SCRIPT.format(machine_id=uuid.replace("-", "")).strip()
    return (("cloud-init-per", "instance", "machine-clone", "sh", "-c", script),)


def make_disk(driver: Driver, data: dict[str, Any], images: BaseImage, megabytes: int) -> None:
    """Copy the disk of the snapshot that the record names, over the same base; under its name when it is whole.

    Raises DriverError if the source or the snapshot is gone, the source stands on another base meanwhile, or there is
    no room.
    """
    ctx, of = driver.ctx, data[record_keys.CLONE_OF]
    directory = os.path.join(os.path.dirname(ctx.directory), of["Machine"])
    source, disk = os.path.join(directory, paths.DISK), os.path.join(ctx.directory, paths.DISK)
    own_base, its_base = os.path.join(ctx.directory, paths.BASE), os.path.join(directory, paths.BASE)
    if images.path(images.recorded()) == its_base:  # a copy that was made for the source alone
        disks.copy(its_base, own_base)
        data[record_keys.BASE] = {**data[record_keys.BASE], "disk": own_base}
        ctx.save(driver)
    _note_use(ctx, data, images)
    below, below_format = images.seen_from_machine(images.recorded()), images.recorded().format
    template = data.get(record_keys.TEMPLATE_DISK)
    if template:
        below = os.path.relpath(os.path.join(images.cache.directory, TEMPLATES, template), ctx.directory)
        below_format = "qcow2"
    if os.path.exists(source):  # what is copied is what differs from the base: over another one it is nonsense
        vm.check_disk(source, its_base if below == own_base else below, below_format, plain=not template)
    part = f"{disk}.part"
    words = ["qemu-img", "convert", "-U", "-l", f"snapshot.name=machine-{of['Snapshot']}", "-O", "qcow2"]
    try:
        with ctx.lock(f"disk-{of['Machine']}"):
            ctx.run([*words, "-B", below, "-F", below_format, source, part], cwd=ctx.directory, timeout=COPY_SECONDS)
        ctx.run(["qemu-img", "resize", "-q", part, f"{megabytes}M"], timeout=60)
        os.replace(part, disk)
    except CommandFailed as error:
        disks.remove(part)
        raise DriverError(
            f"the disk of {of['Machine']} at {of['Snapshot']} could not be copied",
            details=error.details,
            resolution=f"machine snapshot ls {of['Machine']} shows its snapshots; look whether there is room",
        ) from error


def _note_use(ctx: DriverContext, data: dict[str, Any], images: BaseImage) -> None:
    """Note that image and template are needed, as long as this machine is there."""
    base = images.recorded().disk
    if not os.path.isabs(base):
        image_usage.note(images.cache.directory, ctx.directory, base)
    if template := data.get(record_keys.TEMPLATE_DISK):
        image_usage.note(os.path.join(images.cache.directory, TEMPLATES), ctx.directory, str(template))
