say() {
    printf '%s|%s\n' "$1" "$2"
}
show() { # show KEY FILE
    [ ! -f "$2" ] || sed -e "s/^/$1|/" -e '$a\' "$2"
}
first() { # first KEY COMMAND...: the first of these commands that there is
    key=$1
    shift
    for tool in "$@"; do
        if command -v "$tool" >/dev/null 2>&1; then
            say "$key" "$tool"
            return
        fi
    done
    say "$key" ""
}
line() { # line FILE: its first line as $line, "" where there is no such file
    line=
    [ ! -r "$1" ] || { read -r line <"$1" || true; } 2>/dev/null
}
os() {
    if [ -f /etc/os-release ]; then show os /etc/os-release; else show os /usr/lib/os-release; fi
    [ ! -d /var/lib/boot2docker ] || [ ! -f /etc/boot2docker ] || say boot2docker yes
    say arch "$(uname -m)"
    line /proc/sys/kernel/hostname
    say hostname "$line"
    show etc_hostname /etc/hostname
    [ ! -f /etc/hosts ] || sed -n 's/^127\.0\.1\.1[[:space:]]/hosts|&/p' /etc/hosts
    if [ -d /run/systemd/system ]; then say init systemd
    elif [ -x /sbin/openrc-run ]; then say init openrc
    fi
    first packages apt-get dnf yum zypper pacman apk
    first curl curl wget
    if [ -e /run/cloud-init/result.json ]; then say cloud_init 'done'
    elif [ -e /run/cloud-init/enabled ]; then say cloud_init running
    fi
}
files() { # mode, digest and path of those of our files that there are: two processes for all of them
    set --
    for file in @WATCHED@; do
        [ ! -f "$file" ] || set -- "$@" "$file"
    done
    [ "$#" -gt 0 ] || return 0
    stat -L -c %a "$@" >"$scratch" # of a link: what it leads to
    sha256sum "$@" | while read -r digest file && read -r mode <&3; do
        say file "$mode $digest $file"
    done 3<"$scratch"
}
irregular() { # links, directories and the like where our files go
    for file in @MANAGED@; do
        [ ! -e "$file" ] || [ -f "$file" ] || say irregular "$file"
        [ ! -L "$file" ] || say link "$file"
    done
}
engine() {
    say dockerd "$(command -v dockerd || true)"
    say docker "$(command -v docker || true)"
    if [ -e /snap/bin/docker ] || [ -e /var/lib/snapd/snap/bin/docker ]; then say snap yes; fi
    if [ -e @DAEMON_JSON@@KEPT@ ]; then show daemon_json @DAEMON_JSON@@KEPT@; else show daemon_json @DAEMON_JSON@; fi
    files
    [ ! -e @DAEMON_JSON@@KEPT@ ] || say kept yes
    show drop_in @DROP_IN@
    show conf_d @CONF_D@
    show profile @BOOT2DOCKER@/profile
}
units() { # what systemd knows of docker's units, as $units: one question for all that is wanted of them
    units=$(systemctl show docker.service docker.socket -p Id -p LoadState -p ActiveState -p UnitFileState \
        -p FragmentPath -p DropInPaths -p EnvironmentFiles -p Requires -p BindsTo -p MainPID -p Listen || true)
    service=
    of=
    active=
    fragment=
    drop_ins=
    variables=
    listen=
    printf '%s\n' "$units" >"$scratch"
    while IFS= read -r line; do
        case "$line" in
            "") unit_ends ;;
            Id=*) of=${line#*=} ;;
            ActiveState=*) active=${line#*=} ;;
            MainPID=*) pid=${line#*=} ;;
            FragmentPath=*docker.service) fragment=${line#*=} ;;
            DropInPaths=*) drop_ins="$drop_ins ${line#*=}" ;;
            EnvironmentFiles=*" (ignore_errors="*)
                line=${line#*=}
                variables="$variables${line% (ignore_errors=*}
" ;;
            Listen=/*" "*) listen=${listen:-${line#*=}} ;;
        esac
    done <"$scratch"
    unit_ends
}
unit_ends() {
    [ "$of" != docker.service ] || service=$active
    of=
    active=
}
systemd() {
    printf '%s\n' "$units" | sed 's/^/unit|/'
    printf '%s' "${fragment:+$fragment
}" >"$scratch"
    set -f
    for file in $drop_ins; do
        case "$file" in */docker.service.d/* | */service.d/*) printf '%s\n' "$file" >>"$scratch" ;; esac
    done
    set +f
    while IFS= read -r file; do
        say service_file "$file"
        show service_text "$file"
    done <"$scratch"
    printf '%s' "$variables" >"$scratch"
    while IFS= read -r pattern; do
        for file in $pattern; do # systemd takes a pattern of names there too
            if [ -f "$file" ] && [ "$(wc -c <"$file")" -le @LARGEST_VARIABLES@ ]; then
                say variables_file "$file"
                show variables_text "$file"
            fi
        done
    done <"$scratch"
    [ "$service" = active ]
}
places() { # the engine's own socket and its pid file: as the running one was told, else as daemon.json says
    socket=
    pid_file=
    told=$(tr '\0' '\n' <"/proc/${pid:-0}/cmdline" 2>/dev/null || true)
    before=
    printf '%s\n' "$told" >"$scratch"
    while IFS= read -r line; do
        case "$before" in -p | --pidfile) pid_file=${pid_file:-$line} ;; esac
        case "$line" in
            -H=unix://* | --host=unix://* | unix://*) socket=${socket:-${line#*unix://}} ;;
            --pidfile=*) pid_file=${pid_file:-${line#*=}} ;;
        esac
        before=$line
    done <"$scratch"
    settings=
    [ ! -f @DAEMON_JSON@ ] || settings=$(tr -d '\n' <@DAEMON_JSON@ 2>/dev/null || true)
    case "$settings" in
        *'"hosts"'*unix://*) [ -n "$socket" ] || socket=$(printf '%s\n' "$settings" \
            | sed -n 's|.*"hosts"[^]]*"unix://\([^"]*\)".*|\1|p') ;;
    esac
    socket=${socket:-${listen%% *}}
    case "$settings" in
        *'"pidfile"'*) [ -n "$pid_file" ] || pid_file=$(printf '%s\n' "$settings" \
            | sed -n 's|.*"pidfile" *: *"\([^"]*\)".*|\1|p') ;;
    esac
    socket=${socket:-@DEFAULT_SOCKET@}
    pid_file=${pid_file:-@DEFAULT_PID_FILE@}
    case "$told $settings" in # neither a socket nor, without any host, the usual one
        *unix://* | *fd://*) ;;
        *tcp://*) say only_tcp yes ;;
    esac
    say engine_socket "$socket"
    say pid_file "$pid_file"
}
listening() { # TCP ports, as /proc has them, at which a process other than dockerd listens
    if [ "$init" = systemd ]; then
        set -- /proc/1/fd
        whose=shared
    else
        line "$pid_file"
        pid=$line
        set --
        whose=ours
    fi
    pid=${pid:-0}
    if [ "$pid" != 0 ]; then
        line "/proc/$pid/comm"
        [ "$line" = dockerd ] || return 0 # who listens cannot be told
        set -- "$@" "/proc/$pid/fd"
    fi
    ours=" "
    shared=" "
    if [ "$#" -gt 0 ]; then sockets "$@"; fi
    sed -n '/ 0A /p' /proc/net/tcp /proc/net/tcp6 >"$scratch" 2>/dev/null || true
    while read -r _ address _ _ _ _ _ _ _ inode _; do
        case "$shared" in *" $inode "*) say listening "${address##*:}" && continue ;; esac
        case "$ours" in *" $inode "*) ;; *) say listening "${address##*:}" ;; esac
    done <"$scratch"
}
sockets() { # sockets DIRECTORY...: the inodes of processes' sockets, with blanks around each, as $shared and $ours
    # shellcheck disable=SC2012 # the names are numbers
    ls -ln "$@" >"$scratch" 2>/dev/null || true
    while read -r line; do
        case "$line" in
            /proc/1/fd:) whose=shared ;;
            /proc/*/fd:) whose=ours ;;
            *" socket:["*)
                line=${line##*" socket:["}
                if [ "$whose" = shared ]; then shared="$shared${line%]} "; else ours="$ours${line%]} "; fi
                ;;
        esac
    done <"$scratch"
}
running() {
    answer=$(engine_info "$socket" || true)
    case "$answer" in
        *"
"*) answer=$(printf '%s' "$answer" | tr -d '\n') ;;
    esac
    say info "$answer"
    case "$answer" in # what it says itself is not counted
        *'"ServerVersion":"'[!\"]*) ;;
        *) say shims "$(cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^containerd-shim' || true)" ;;
    esac
    if [ -f "$pid_file" ]; then
        find @MANAGED@ -newer "$pid_file" >"$scratch" 2>/dev/null || true
        while read -r file; do say newer "$file"; done <"$scratch"
    fi
}
unfinished() { # another run's changes are waited for, or what is seen is half of them
    [ -e @TRANSACTION@/guard ] || return 0
    tries=0
    while [ "$tries" -lt @WAIT_TRIES@ ] \
        && kill -0 "$(cat @TRANSACTION@/guard 2>/dev/null || echo 0x)" 2>/dev/null; do
        tries=$((tries + 1))
        sleep 0.2
    done
}
on_disk() { # what a stopped engine has: in all data roots that it may have been told, those of user namespaces too
    set -- /etc/default/docker /etc/sysconfig/docker /etc/sysconfig/docker-storage \
        @CONF_D@ @BOOT2DOCKER@/profile
    named=$(printf '%s\n' "${units:-}" | sed -n -e 's/^FragmentPath=//p' -e 's/^DropInPaths=//p' \
        -e 's/^EnvironmentFiles=\(.*\) (ignore_errors=.*/\1/p')
    for file in $named; do set -- "$@" "$file"; done
    {
        echo /var/lib/docker
        printf '%s\n' "$settings" \
            | sed -n -e 's|.*"data-root" *: *"\([^"]*\)".*|\1|p' -e 's|.*"graph" *: *"\([^"]*\)".*|\1|p'
        cat "$@" 2>/dev/null | grep -v '^[[:space:]]*#' | tr "\"'\t=" '    ' | tr -s ' ' \
            | sed -n -e 's/.*--data-root \([^ ]*\).*/\1/p' -e 's/.*--graph \([^ ]*\).*/\1/p' \
                -e 's/.* -g \([^ ]*\).*/\1/p'
    } | sort -u >"$scratch"
    while IFS= read -r root; do
        case "$root" in *'$'*) say data_root_unknown "$root" ;; esac
        for place in "$root" "$root"/[0-9]*.[0-9]*; do
            for driver in "$place"/image/*/; do
                [ -z "$(ls -A "${driver}imagedb/content/sha256" 2>/dev/null)" ] \
                    || say images_on_disk "$(basename "$driver")"
            done
            in_containerd "$place/containerd/daemon"
        done
    done <"$scratch"
    in_containerd /var/lib/containerd
}
in_containerd() { # images that dockerd has left to containerd
    file="$1/io.containerd.metadata.v1.bolt/meta.db"
    if grep -qs moby "$file" && grep -qs 'application/vnd[.]' "$file"; then say images_on_disk containerd; fi
}
writable() { # what cannot be written, although root asks
    for place in /tmp /run /etc /etc/hosts /etc/hostname @CERTIFICATES@ @DROP_IN_DIRECTORY@ \
        /etc/systemd/system @DROP_IN@ @DAEMON_JSON@ @CONF_D@; do
        [ ! -e "$place" ] || [ -w "$place" ] || say unwritable "$place"
    done
}
scratch=$(mktemp 2>/dev/null || mktemp -p /run)
trap 'rm -f "$scratch"' EXIT
if [ -d /run/systemd/system ]; then init=systemd; else init=other; fi
pid=
listen=
unfinished
[ "$init" != systemd ] || units
os
writable
irregular
engine
places
listening
if [ "$init" = systemd ]; then up=systemd
elif [ -x /sbin/openrc-run ]; then up='rc-service -q docker status'
else up='[ -S /var/run/docker.sock ]'
fi
if eval "$up"; then running; else on_disk; fi
case "${answer:-}" in # dockerd --version takes half as long as all the rest
    *'"ServerVersion":'*) ;;
    *) [ -z "$(command -v dockerd)" ] || say version "$(dockerd --version 2>/dev/null)" ;;
esac
say end yes
