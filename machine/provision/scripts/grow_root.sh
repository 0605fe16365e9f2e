# Grow the partition and the file system of / to their disk, while they are used; print "DISK FILESYSTEM" in KiB.
# DISK is 0 where / is not on a disk or on a partition of one (LVM, overlayfs): such a host is left alone.
kilobytes() { df -Pk / | awk 'NR == 2 { print $2 }'; }
device=$(df -P / | awk 'NR == 2 { print $1 }')
case "$device" in
/dev/root) device=/dev/$(sed -n 's/^DEVNAME=//p' "/sys/dev/block/$(mountpoint -d /)/uevent") ;;
esac
block=$(basename "$(readlink -f "$device")")
if [ ! -e "/sys/class/block/$block/size" ] || [ -e "/sys/class/block/$block/dm" ]; then
    echo "0 $(kilobytes)"
    exit 0
fi
disk=$block
number=""
if [ -e "/sys/class/block/$block/partition" ]; then
    number=$(cat "/sys/class/block/$block/partition")
    disk=$(basename "$(dirname "$(readlink -f "/sys/class/block/$block")")")
fi
if [ -e "/sys/class/block/$disk/device/rescan" ]; then # SCSI tells of a new size when it is asked
    echo 1 >"/sys/class/block/$disk/device/rescan" || true
fi
if [ -n "$number" ]; then
    if command -v growpart >/dev/null 2>&1; then
        growpart "/dev/$disk" "$number" >&2 || true # status 1 where it is as large as it can be
    elif command -v sfdisk >/dev/null 2>&1; then
        echo ", +" | sfdisk --no-reread --force -N "$number" "/dev/$disk" >&2 || true
        partx -u "/dev/$disk" >&2 || true
    fi
fi
case "$(awk '$2 == "/" { type = $3 } END { print type }' /proc/mounts)" in
ext[234])
    if command -v resize2fs >/dev/null 2>&1; then
        resize2fs "/dev/$block" >&2 || true
    else
        for program in /usr/lib/systemd/systemd-growfs /lib/systemd/systemd-growfs; do
            [ ! -x "$program" ] || { "$program" / >&2 && break; }
        done
    fi
    ;;
xfs) xfs_growfs / >&2 || true ;;
btrfs) btrfs filesystem resize max / >&2 || true ;;
esac
echo "$(($(cat "/sys/class/block/$disk/size") / 2)) $(kilobytes)"
