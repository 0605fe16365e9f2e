note() { # in one question: each costs as much as all the rest
    systemctl show docker.service docker.socket containerd.service -p ActiveState -p UnitFileState -p MainPID \
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
        ! systemctl -q is-active "$unit" || printf '%s\n' "$unit"
    done
}
