#!/bin/sh
# guard OWNER SESSION: waits for the end of the run of machine that is at work here, and takes back what it left.
trap '' HUP INT TERM PIPE
echo $$ >@DIRECTORY@/guard
mine() { # read by the shell itself: this is asked all the while, and a process costs something
    owner=
    read -r owner 2>/dev/null <@DIRECTORY@/owner || [ "$owner" ] || return 1
    [ "$owner" = "$1" ]
}
working() { # whether a step of the run still goes on
    for file in /proc/[0-9]*/stat; do
        read -r line 2>/dev/null <"$file" || continue
        read -r condition _parent _group session _rest <<END_STAT
${line##*) }
END_STAT
        [ "$session" != "$1" ] || [ "$condition" = Z ] || return 0
    done
    return 1
}
while kill -0 "$1" 2>/dev/null; do
    mine "$1" || exit 0
    sleep 1
done
tries=0
while [ "$tries" -lt @STEP_SECONDS@ ] && working "$2"; do
    tries=$((tries + 1))
    sleep 1
done
if command -v flock >/dev/null 2>&1; then
    exec 9>/run/machine-provision.lock
    flock -w 300 9
fi
! mine "$1" || sh @DIRECTORY@/undo 9>&-
