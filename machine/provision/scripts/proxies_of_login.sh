proxies() {
    for name in @NAMES@; do
        eval "value=\${$name:-}"
        [ -z "$value" ] || printf "export %s='%s'\n" "$name" "$(printf '%s' "$value" | sed "s/'/'\\\\''/g")"
    done
}
