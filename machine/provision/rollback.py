"""Changes of the engine's configuration are all made or none: what is needed to take them back is on the machine first.

    begin      the files, the state of the services and the host's name are written down; a guard is started
    ...        steps; one that fails has the changes taken back before the script ends (script.py)
    commit     what was written down is thrown away

The guard is a process of its own that waits for the end of the script. If the script is killed, or dies because the
connection broke, the guard takes the changes back. Taking back restores what the init system has loaded, not only
files: what did not run before is stopped, units are read anew, and what ran is started again.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from machine.provision import engine_api
from machine.provision.facts import Facts
from machine.provision.gather import DAEMON_JSON, KEPT, LIVE, NO_LIVE, TRANSACTION
from machine.provision.steps import Run

# How long the guard waits for a step that outlives its script: package managers must not be disturbed.
STEP_SECONDS = 1800
START_SECONDS = 150  # for one start of the engine; docker.service itself has no limit

_SYSTEMD_PID = """\
property() {
    systemctl show "$1" -p "$2" | sed 's/^[^=]*=//'
}
pid() {
    property docker.service MainPID
}
"""
_SYSTEMD_NOTE = """\
note() { # in one question: each costs as much as all the rest
    systemctl show docker.service docker.socket containerd.service -p ActiveState -p UnitFileState -p MainPID \\
        -p RequiredBy -p BoundBy -p ConsistsOf >units || true
    set -- docker_service docker_socket containerd_service
    main=
    needed_by=
    while read -r line; do
        case "${1:-} $line" in
            *" ") [ "$#" -eq 0 ] || shift ;; # systemd has an empty line between two units
            *" ActiveState="*) echo "$1=${line#*=}" ;;
            "docker_service UnitFileState="*) echo "enabled=${line#*=}" ;;
            "docker_service MainPID="*) main=${line#*=} ;;
            *" UnitFileState="* | *" MainPID="* | "containerd_service "*) ;;
            *) needed_by="$needed_by ${line#*=}" ;;
        esac
    done <units
}
dependents() { # what runs, is stopped with the engine and is not started with it; and what needs that
    known=" docker.service docker.socket "
    while [ -n "$needed_by" ]; do
        set --
        for unit in $needed_by; do
            case "$known$* " in *" $unit "*) ;; *) set -- "$@" "$unit" ;; esac
        done
        [ "$#" -gt 0 ] || break
        known="$known$* "
        needed_by=$(systemctl show "$@" -p RequiredBy -p BoundBy -p ConsistsOf | sed 's/^[^=]*=//')
    done
    for unit in $known; do
        case "$unit" in docker.service | docker.socket | *.target) continue ;; esac
        ! systemctl -q is-active "$unit" || printf '%s\\n' "$unit"
    done
}
"""
_SYSTEMD = f"""\
halt() {{ # the socket too, or it starts the service again
    set -- docker.service
    [ "$(property docker.socket LoadState)" != loaded ] || set -- docker.socket docker.service
    limited 60 systemctl stop "$@" || limited 10 systemctl kill -s KILL docker.service || true
}}
reload() {{
    [ "$(was enabled)" != disabled ] || [ "$(property docker.service UnitFileState)" = disabled ] \\
        || SYSTEMCTL_SKIP_SYSV=1 systemctl -q --no-reload disable docker.service || true
    systemctl daemon-reload
}}
launch() {{ # what ran, and nothing else
    for unit in docker.service docker.socket; do
        case "$unit $(was docker_service) $(was docker_socket)" in
            "docker.service failed "* | "docker.socket "*" failed") ;;
            *) systemctl reset-failed "$unit" 2>/dev/null || true ;;
        esac
    done
    [ "$(was docker_socket)" != active ] || limited 20 systemctl start docker.socket || return 1
    if runs_again; then
        limited {START_SECONDS} systemctl start docker.service
    elif [ "$(was containerd_service)" = inactive ]; then
        limited 60 systemctl stop containerd.service 2>/dev/null || true
    fi
}}
revive() {{
    while read -r unit; do limited 60 systemctl start "$unit" || true; done <dependents
}}
runs_again() {{
    case "$(was docker_service)" in active | activating | reloading | deactivating) ;; *) return 1 ;; esac
}}
"""
_OTHER_PID = """\
pid() {{
    cat {pid_file} 2>/dev/null || true
}}
"""
_OTHER_NOTE = """\
note() {{
    if {status} >/dev/null 2>&1; then echo docker_service=active; else echo docker_service=inactive; fi
    if {is_enabled}; then echo enabled=enabled; else echo enabled=disabled; fi
    main=$(pid)
}}
dependents() {{
    :
}}
"""
_OTHER = """\
halt() {{
    limited 60 {stop} || true
}}
reload() {{
    [ "$(was enabled)" != disabled ] || {disable} || true
}}
launch() {{
    ! runs_again || {launch}
}}
revive() {{
    :
}}
runs_again() {{
    [ "$(was docker_service)" = active ]
}}
"""
_OPENRC = f"""\
{engine_api.PROCESS}started() {{ # started SECONDS COMMAND: fails too when the engine ends soon after its start
    before_start
    limited "$@" || return 1
    until=$(($(date +%s) + {engine_api.UP_SECONDS}))
    until engine_answers SOCKET || [ "$(date +%s)" -ge "$until" ]; do
        goes_on || return 1
        sleep 0.2
    done
}}
"""
_WORDS = {
    "openrc": {
        "status": "rc-service docker status",
        "stop": "rc-service docker stop",
        "launch": f"started {START_SECONDS} rc-service docker start",
        "is_enabled": "rc-update show default 2>/dev/null | grep -q '^ *docker '",
        "disable": "rc-update -q del docker default",
    },
    "boot2docker": {
        "status": "/etc/init.d/docker status",
        "stop": "/etc/init.d/docker stop",
        "launch": f"limited {START_SECONDS} /etc/init.d/docker start",
        "is_enabled": "true",
        "disable": "true",
    },
}

# The engine of before goes on, or is started with live-restore for its containers; then the setting is put back.
_UNDO = """\
#!/bin/sh
# Takes back what an unfinished run of machine changed here. Written by machine; may be run again.
set -u
export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" LC_ALL=C
trap '' HUP INT TERM PIPE
cd {state} || exit 1
{functions}
was() {{ # what was written down
    sed -n "s/^$1=//p" {state}/before
}}
back() {{ # back FILE: as it was, a link too; away if it was not there, or empty and an old engine is not to stumble
    if [ -s "$1{kept}" ] || [ -L "$1{kept}" ]; then mv -f "$1{kept}" "$1"
    elif [ ! -e "$1{kept}" ]; then return 0
    elif grep -qxF "$1" empty 2>/dev/null && ! runs_again; then mv -f "$1{kept}" "$1"
    else rm -f "$1" "$1{kept}"
    fi
}}
put() {{ # put FILE: as daemon.json, by a link, for the disk may be full
    rm -f {json}.machine-new
    ln "$1" {json}.machine-new && mv -f {json}.machine-new {json}
}}
live() {{ # with live-restore on, or containers end with the engine
    [ -f {json}{live} ] && [ -e {json}{kept} ] || return 0
    put {json}{live}
}}
settled() {{ # live-restore as it was, in the engine and in the file
    [ -f {json}{no_live} ] && [ -e {json}{kept} ] || return 0
    put {json}{no_live}
    kill -HUP "$(pid)" 2>/dev/null || return 0
    until=$(($(date +%s) + 10))
    until engine_info {socket} | grep -q '"LiveRestoreEnabled":false' || [ "$(date +%s)" -ge "$until" ]; do
        sleep 0.2
    done
}}
names() {{
    name=$(was kernel_name)
    [ -n "$name" ] && [ "$(cat /proc/sys/kernel/hostname)" != "$name" ] || return 0
    hostname "$name" 2>/dev/null || printf '%s' "$name" >/proc/sys/kernel/hostname
}}
same() {{ # the engine was not restarted
    case "$(was main)" in "" | 0) return 1 ;; "$(pid)") ;; *) return 1 ;; esac
}}
said="what was changed on the machine was taken back"
if same; then
    settled
    for file in {files}; do back "$file"; done
    reload
else
    halt
    live
    for file in {files}; do
        if [ "$file" != {json} ] || [ ! -f {json}{live} ]; then back "$file"; fi
    done
    reload
    if ! launch; then # not even with live-restore
        back {json}
        launch || said="$said; its engine ran before and does not start again: see {log}"
    fi
    if runs_again; then (
        {up}
    ) || said="$said; its engine ran before and does not answer now"; fi
    settled
    back {json}
    revive
fi
[ -z "$(find {json} -newer {pid_file} 2>/dev/null)" ] || touch -r {pid_file} {json}
for name in hosts hostname; do
    if [ ! -f "$name" ]; then rm -f "/etc/$name"
    elif ! cmp -s "$name" "/etc/$name"; then cat "$name" >"/etc/$name"
    fi
done
names
rm -f {leftovers}
while read -r directory; do rmdir "$directory" 2>/dev/null || true; done <directories
cd /
rm -rf {state}
echo "$said"
"""

_GUARD = """\
#!/bin/sh
# guard OWNER SESSION: waits for the end of the run of machine that is at work here, and takes back what it left.
trap '' HUP INT TERM PIPE
echo $$ >{state}/guard
mine() {{
    [ "$(cat {state}/owner 2>/dev/null)" = "$1" ]
}}
working() {{ # whether a step of the run still goes on
    for file in /proc/[0-9]*/stat; do
        read -r line 2>/dev/null <"$file" || continue
        read -r condition _parent _group session _rest <<END_STAT
${{line##*) }}
END_STAT
        [ "$session" != "$1" ] || [ "$condition" = Z ] || return 0
    done
    return 1
}}
while kill -0 "$1" 2>/dev/null; do
    mine "$1" || exit 0
    sleep 0.3
done
tries=0
while [ "$tries" -lt {seconds} ] && working "$2"; do
    tries=$((tries + 1))
    sleep 1
done
if command -v flock >/dev/null 2>&1; then
    exec 9>/run/machine-provision.lock
    flock -w 300 9
fi
! mine "$1" || sh {state}/undo 9>&-
"""

_BEGIN = """\
umask 077
{functions}
state={state}
mkdir -p $state
cat >$state/undo <<'END_UNDO'
{undo}END_UNDO
cat >$state/guard.sh <<'END_GUARD'
{guard}END_GUARD
if [ ! -e $state/before ]; then (
    cd $state
    {{
        note
        echo "main=$main"
        read -r name </proc/sys/kernel/hostname
        echo "kernel_name=$name"
    }} >before.new
    dependents >$state/dependents
    for file in {files}; do [ ! -f "$file" ] || [ -s "$file" ] || echo "$file"; done >empty
    set --
    for name in hosts hostname; do [ ! -f /etc/$name ] || set -- "$@" /etc/$name; done
    [ "$#" -eq 0 ] || cp -p "$@" .
    for directory in {directories}; do [ -d "$directory" ] || echo "$directory"; done >directories
    mv before.new before
); fi
: >>$state/dependents
echo $$ >$state/owner
read -r stat <"/proc/$$/stat"
# shellcheck disable=SC2086 # words: condition, parent, group, session
set -- ${{stat##*) }}
session=$4
if [ ! -d /run/systemd/system ] || ! systemd-run -q --no-block sh $state/guard.sh $$ "$session" 2>/dev/null; then
    setsid sh $state/guard.sh $$ "$session" >/dev/null 2>&1 &
fi
for directory in {directories}; do [ -d "$directory" ] || (umask 022; mkdir -p "$directory"); done
set --
for file in {files}; do set -- "$@" "$file{kept}.new"; done
rm -f "$@"
for file in {files}; do
    if [ -e "$file{kept}" ] || [ -L "$file{kept}" ]; then continue; fi
    if [ ! -f "$file" ] && [ ! -L "$file" ]; then : >"$file{kept}"; continue; fi
    cp -pP "$file" "$file{kept}.new"
    mv -f "$file{kept}.new" "$file{kept}"
done
"""


def begin(facts: Facts, paths: Iterable[str]) -> Run:
    """Write down what the files at `paths` and the services are now; an empty copy means that there was no file.

    What an interrupted run wrote down is not touched: it is the older truth.
    """
    files = list(paths)
    directories = sorted({path.rpartition("/")[0] for path in files}, key=lambda path: (-path.count("/"), path))
    script = _BEGIN.format(
        functions=_note(facts),
        state=TRANSACTION,
        undo=_undo(facts, files),
        guard=_GUARD.format(state=TRANSACTION, seconds=STEP_SECONDS),
        files=shlex.join(files),
        directories=shlex.join(directories),
        kept=KEPT,
    )
    shown = (
        f"# As they are now: each file that is written below, as FILE{KEPT}; how Docker's services stand, and the\n"
        f"# host's name, in {TRANSACTION}. If a step fails, or the script is killed, a guard puts all of it back."
    )
    return Run("keep the present configuration", script, shown=shown)


def commit(paths: Sequence[str]) -> Run:
    """The changes stay: what was written down is out of the guard's sight at once, and then thrown away."""
    gone = f"{TRANSACTION}.done"
    script = f"[ ! -e {gone} ] || rm -rf {gone}\nmv {TRANSACTION} {gone}\nrm -rf {_leftovers(paths)} {gone}"
    return Run("forget the kept configuration", script)


def _pid(facts: Facts) -> str:
    """Functions that tell the engine's process."""
    return _SYSTEMD_PID if facts.init == "systemd" else _OTHER_PID.format(pid_file=shlex.quote(facts.pid_file))


def _note(facts: Facts) -> str:
    """Functions that tell what the init system has running."""
    if facts.init == "systemd":
        return _SYSTEMD_NOTE
    return _pid(facts) + _OTHER_NOTE.format(**_WORDS[facts.init])


def _init(facts: Facts) -> str:
    """Functions that bring back what it had running."""
    if facts.init == "systemd":
        return _SYSTEMD
    functions = _OPENRC.replace("SOCKET", shlex.quote(facts.engine_socket)) if facts.init == "openrc" else ""
    return functions + _OTHER.format(**_WORDS[facts.init])


def _undo(facts: Facts, files: list[str]) -> str:
    """daemon.json comes back first: TLS in both places starts nothing, TLS in neither would be open."""
    ordered = sorted(files, key=lambda path: path != DAEMON_JSON)
    alive = "goes_on" if facts.init == "openrc" else "true"
    up = engine_api.wait_until_up(facts.engine_socket, alive).replace("\n", "\n        ").strip()
    return _UNDO.format(
        state=TRANSACTION,
        functions=engine_api.FUNCTIONS + _pid(facts) + _init(facts),
        files=shlex.join(ordered),
        leftovers=_leftovers(files),
        json=DAEMON_JSON,
        kept=KEPT,
        live=LIVE,
        no_live=NO_LIVE,
        socket=shlex.quote(facts.engine_socket),
        pid_file=shlex.quote(facts.pid_file),
        up=up,
        log="journalctl -u docker" if facts.init == "systemd" else "its log",
    )


def _leftovers(paths: Iterable[str]) -> str:
    copies = [path + suffix for path in paths for suffix in (KEPT, f"{KEPT}.new", ".machine-new")]
    return shlex.join([*copies, DAEMON_JSON + LIVE, DAEMON_JSON + NO_LIVE])
