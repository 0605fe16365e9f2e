python() { # the first Python that is new enough and whole
    for name in @NAMES@; do
        path=$(command -v "$name") || continue
        if "$path" -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); import asyncio, sqlite3, ssl' \
            >/dev/null 2>&1; then
            echo "python|$path"
            return
        fi
    done
}
