# $1 is the machine id of the clone; $INSTANCE_ID comes from cloud-init. As root, at its first boot, before anything else.
# What is the source's alone goes before sshd and the engine are started; cloud-init then makes keys and users as on any
# first boot. The engine waits for certificates of its own. A snapshot may be older than the source's leave of a cluster.
printf '%s\n' "$1" >/etc/machine-id
sed -i '/^127\.0\.1\.1[[:space:]]/d' /etc/hosts
[ -L /var/lib/dbus/machine-id ] || rm -f /var/lib/dbus/machine-id
rm -rf /etc/ssh/ssh_host_* /root/.ssh /home/*/.ssh
cut -d: -f6 /etc/passwd | sort -u | while IFS= read -r home; do rm -rf "$home/.ssh"; done
find /var/lib/cloud/instances -mindepth 1 -maxdepth 1 ! -name "$INSTANCE_ID" -exec rm -rf '{}' + 2>/dev/null

rm -f /var/lib/containerd/io.containerd.*introspection*/uuid
{
    echo /var/lib/docker
    cat /etc/docker/daemon.json /etc/systemd/system/docker.service.d/*.conf 2>/dev/null \
        | sed -n -e 's|.*"data-root" *: *"\(/[^"]*\)".*|\1|p' -e 's|.*--data-root[= ]"*\(/[^" ]*\).*|\1|p'
} | while IFS= read -r root; do
    rm -rf "$root/engine-id" "$root/swarm"
    rm -f "$root"/containerd/daemon/io.containerd.*introspection*/uuid
done
rm -rf /etc/docker/*.pem /etc/docker/key.json
rm -rf /etc/machine-swarm.env /var/lib/machine-swarm /etc/systemd/system/machine-swarm-*.service

rm -rf /var/lib/systemd/random-seed /var/lib/systemd/credential.secret
rm -f /boot/loader/random-seed /boot/efi/loader/random-seed /efi/loader/random-seed
rm -rf /var/lib/dhcp/* /var/lib/dhcpcd/* /var/lib/wicked/* /var/lib/NetworkManager/*lease*
rm -f /var/lib/NetworkManager/secret_key /etc/nvme/hostnqn /etc/nvme/hostid
if [ -e /etc/iscsi/initiatorname.iscsi ]; then # two that log in to one disk by the same name destroy it
    name=$(iscsi-iname 2>/dev/null) || name=
    if [ -n "$name" ]; then echo "InitiatorName=$name"; else echo GenerateName=yes; fi >/etc/iscsi/initiatorname.iscsi
fi

mkdir -p /run/systemd/system/docker.service.d
printf '[Unit]\nConditionPathExists=/etc/docker/server.pem\n' >/run/systemd/system/docker.service.d/00-clone.conf
systemctl daemon-reload
