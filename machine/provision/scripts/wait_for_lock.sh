patiently() { # patiently COMMAND: its output in `said`; again while it fails for somebody else's lock
    until=$(($(date +%s) + @LOCK_SECONDS@))
    while true; do
        said=$("$@" 2>&1) && return
        case "$said" in
            *"Could not get lock"* | *"Unable to lock directory"* | *"frontend lock"* | *"Unable to lock database"*) ;;
            *) return 1 ;;
        esac
        [ "$(date +%s)" -lt "$until" ] || return 1
        sleep 3
    done
}
