export DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
@WAIT_FOR_LOCK@
apt() {
    status=0
    patiently apt-get -q -y -o DPkg::Lock::Timeout=@LOCK_SECONDS@ -o Dpkg::Options::=--force-confdef \
        -o Dpkg::Options::=--force-confold "$@" || status=1
    echo "$said"
    return "$status"
}
lists() {
    patiently apt-get -q update && case "$said" in *"Failed to fetch"*) false ;; esac && return
    export stale=yes
    echo "$said"
}
lists
