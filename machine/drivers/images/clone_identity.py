"""What a clone does at its first boot, so that it is a machine of its own."""

from __future__ import annotations

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


def first_boot(uuid: str) -> tuple[tuple[str, ...], ...]:
    """Return the commands that a clone runs before anything else, at its first boot only. `uuid` is its own."""
    script = _SCRIPT.format(machine_id=uuid.replace("-", "")).strip()
    return (("cloud-init-per", "instance", "machine-clone", "sh", "-c", script),)
