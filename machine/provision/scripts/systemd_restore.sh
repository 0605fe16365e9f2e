halt() { # the socket too, or it starts the service again
    set -- docker.service
    [ "$(property docker.socket LoadState)" != loaded ] || set -- docker.socket docker.service
    limited 60 systemctl stop "$@" || limited 10 systemctl kill -s KILL docker.service || true
}
reload() {
    [ "$(was enabled)" != disabled ] || [ "$(property docker.service UnitFileState)" = disabled ] \
        || SYSTEMCTL_SKIP_SYSV=1 systemctl -q --no-reload disable docker.service || true
    systemctl daemon-reload
}
launch() { # what ran, and nothing else
    for unit in docker.service docker.socket; do
        case "$unit $(was docker_service) $(was docker_socket)" in
            "docker.service failed "* | "docker.socket "*" failed") ;;
            *) systemctl reset-failed "$unit" 2>/dev/null || true ;;
        esac
    done
    [ "$(was docker_socket)" != active ] || limited 20 systemctl start docker.socket || return 1
    if runs_again; then
        limited @START_SECONDS@ systemctl start docker.service
    elif [ "$(was containerd_service)" = inactive ]; then
        limited 60 systemctl stop containerd.service 2>/dev/null || true
    fi
}
revive() {
    while read -r unit; do limited 60 systemctl start "$unit" || true; done <dependents
}
runs_again() {
    case "$(was docker_service)" in active | activating | reloading | deactivating) ;; *) return 1 ;; esac
}
