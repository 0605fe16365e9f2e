#!/bin/sh
# Takes back what an unfinished run of machine changed here. Written by machine; may be run again.
set -u
export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C
trap '' HUP INT TERM PIPE
cd @DIRECTORY@ || exit 1
@FUNCTIONS@

was() { # what was written down
    sed -n "s/^$1=//p" @DIRECTORY@/before
}
back() { # back FILE: as it was, a link too; away if it was not there, or empty and an old engine is not to stumble
    if [ -s "$1@KEPT@" ] || [ -L "$1@KEPT@" ]; then mv -f "$1@KEPT@" "$1"
    elif [ ! -e "$1@KEPT@" ]; then return 0
    elif grep -qxF "$1" empty 2>/dev/null && ! runs_again; then mv -f "$1@KEPT@" "$1"
    else rm -f "$1" "$1@KEPT@"
    fi
}
put() { # put FILE: as daemon.json, by a link, for the disk may be full
    rm -f @DAEMON_JSON@.machine-new
    ln "$1" @DAEMON_JSON@.machine-new && mv -f @DAEMON_JSON@.machine-new @DAEMON_JSON@
}
live() { # with live-restore on, or containers end with the engine
    [ -f @DAEMON_JSON@@LIVE@ ] && [ -e @DAEMON_JSON@@KEPT@ ] || return 0
    put @DAEMON_JSON@@LIVE@
}
settled() { # live-restore as it was, in the engine and in the file
    [ -f @DAEMON_JSON@@NO_LIVE@ ] && [ -e @DAEMON_JSON@@KEPT@ ] || return 0
    put @DAEMON_JSON@@NO_LIVE@
    kill -HUP "$(pid)" 2>/dev/null || return 0
    until=$(($(date +%s) + 10))
    until engine_info @SOCKET@ | grep -q '"LiveRestoreEnabled":false' || [ "$(date +%s)" -ge "$until" ]; do
        sleep 0.2
    done
}
names() {
    name=$(was kernel_name)
    [ -n "$name" ] && [ "$(cat /proc/sys/kernel/hostname)" != "$name" ] || return 0
    hostname "$name" 2>/dev/null || printf '%s' "$name" >/proc/sys/kernel/hostname
}
same() { # the engine was not restarted
    case "$(was main)" in "" | 0) return 1 ;; "$(pid)") ;; *) return 1 ;; esac
}
said="what was changed on the machine was taken back"
if same; then
    settled
    for file in @FILES@; do back "$file"; done
    reload
else
    halt
    live
    for file in @FILES@; do
        if [ "$file" != @DAEMON_JSON@ ] || [ ! -f @DAEMON_JSON@@LIVE@ ]; then back "$file"; fi
    done
    reload
    if ! launch; then # not even with live-restore
        back @DAEMON_JSON@
        launch || said="$said; its engine ran before and does not start again: see @LOG@"
    fi
    if runs_again; then (
        @WAIT_UNTIL_UP@
    ) || said="$said; its engine ran before and does not answer now"; fi
    settled
    back @DAEMON_JSON@
    revive
fi
[ -z "$(find @DAEMON_JSON@ -newer @PID_FILE@ 2>/dev/null)" ] || touch -r @PID_FILE@ @DAEMON_JSON@
for name in hosts hostname; do
    if [ ! -f "$name" ]; then rm -f "/etc/$name"
    elif ! cmp -s "$name" "/etc/$name"; then cat "$name" >"/etc/$name"
    fi
done
names
rm -f @LEFTOVERS@
while read -r directory; do rmdir "$directory" 2>/dev/null || true; done <directories
cd /
rm -rf @DIRECTORY@
echo "$said"
