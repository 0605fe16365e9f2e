pid() {
    cat @PID_FILE@ 2>/dev/null || true
}
