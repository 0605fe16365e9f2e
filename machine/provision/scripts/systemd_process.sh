property() {
    systemctl show "$1" -p "$2" | sed 's/^[^=]*=//'
}
pid() {
    property docker.service MainPID
}
