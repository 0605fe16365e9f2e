# $1 the directory, $2 the tag of its share. As root: unmount it, and remove the directory if nothing else is in it.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
directory=$1 tag=$2
escaped=$(printf %s "$directory" | sed 's/\\/\\134/g; s/ /\\040/g')
while grep -qF "machine-share-$tag $escaped fuse.sshfs " /proc/mounts; do
    umount "$directory" 2>/dev/null || umount -l "$directory" || exit 1
done
rm -f "/run/machine-share-$tag.pid"
if grep -qF " $escaped " /proc/mounts; then exit 0; fi
chattr -i "$directory" 2>/dev/null
rmdir -- "$directory" 2>/dev/null
exit 0
