put() ( # put PATH MODE [CHECK]: the content is standard input
    umask 077
    new="$1.machine-new"
    [ -d "${1%/*}" ] || (umask 022 && mkdir -p "${1%/*}")
    if [ -e "$new" ] || [ -L "$new" ]; then rm -f "$new"; fi
    if [ "${encoded:-}" = yes ]; then base64 -d >"$new"; else cat >"$new"; fi
    chmod "$2" "$new"
    if [ -f "$1" ] && [ ! -L "$1" ] && [ "$(sha256sum <"$1")" = "$(sha256sum <"$new")" ]; then
        chmod "$2" "$1"
        rm -f "$new"
        return
    fi
    if [ -n "${3:-}" ] && ! sh -c "$3" check "$new" </dev/null; then
        rm -f "$new"
        return 1
    fi
    mv -f "$new" "$1"
)
