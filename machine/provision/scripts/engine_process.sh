engines() { # the processes called dockerd, those in containers too
    grep -lx dockerd /proc/[0-9]*/comm 2>/dev/null || true
}
before_start() {
    before=$(engines)
    ours=
    unseen=0
}
goes_on() { # whether the dockerd that was started after before_start is the same as before; a look each 0.2 s
    if [ -n "$ours" ]; then
        grep -qx dockerd "$ours" 2>/dev/null
        return
    fi
    for ours in $(engines); do
        case "$before" in *"$ours"*) ;; *) return 0 ;; esac
    done
    ours=
    unseen=$((unseen + 1))
    [ "$unseen" -le @MOST_UNSEEN@ ]
}
