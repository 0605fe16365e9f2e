# $1 the directory, $2 ro or rw, $3 a tag of this share. As root; stdin and stdout are the SFTP conversation.
# Everything that is said goes to stderr, with `machine-share:` before it.
export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
say() { echo "machine-share: $*" >&2; }
directory=$1 mode=$2 tag=$3
pid_file=/run/machine-share-$tag.pid
escaped=$(printf %s "$directory" | sed 's/\\/\\134/g; s/ /\\040/g')
mounted() { grep -qF " $escaped fuse.sshfs " /proc/mounts; }
ours() { grep -qF "machine-share-$tag $escaped fuse.sshfs " /proc/mounts; }

command -v sshfs >/dev/null 2>&1 || { say no-sshfs; exit 10; }
modprobe fuse 2>/dev/null
[ -c /dev/fuse ] || { say no-fuse; exit 11; }

# What an earlier connection left: its program may not have noticed yet that nobody is at the other end.
old=$(cat "$pid_file" 2>/dev/null)
case $old in
'' | *[!0-9]*) ;;
*) if tr '\0' ' ' 2>/dev/null <"/proc/$old/cmdline" | grep -qF "machine-share-$tag"; then kill -9 "$old"; fi ;;
esac
while ours; do umount -l "$directory" || break; done
if mounted; then
    say other-share
    exit 12
fi

# Nothing of the machine's own may be covered, its login's keys least of all. Empty directories are what docker makes
# for a bind mount whose source is missing.
if [ -L "$directory" ] || { [ -e "$directory" ] && [ ! -d "$directory" ]; }; then
    say occupied
    exit 13
fi
mkdir -p -- "$directory" || { say no-directory; exit 14; }
if [ -n "$(find "$directory" -mindepth 1 ! -type d 2>/dev/null | head -n 1)" ]; then
    say occupied
    exit 13
fi
# While nothing is mounted here docker cannot make the source of a bind mount, and says so, where the file system can.
chattr +i "$directory" 2>/dev/null

options="passive,allow_other,nosuid,nodev,fsname=machine-share-$tag,$mode,dcache_timeout=5,entry_timeout=1,attr_timeout=1"
help=$(sshfs -h 2>&1)
case $help in *passive*) ;; *) options=slave,${options#passive,} ;; esac
case $help in *no_contain_symlinks*) options=$options,no_contain_symlinks ;; esac
(
    tries=0
    while [ $tries -lt 300 ]; do
        if ours; then
            say mounted
            exit
        fi
        tries=$((tries + 1))
        sleep 0.1
    done
) </dev/null >/dev/null &
echo $$ >"$pid_file"
exec sshfs -f -o "$options" machine:/ "$directory"
