proxy() { # proxy NAME: of /etc/environment, unless it is set already
    upper=$(printf '%s' "$1" | tr '[:lower:]' '[:upper:]')
    eval "value=\${$1:-\${$upper:-}}"
    if [ -z "$value" ] && [ -r /etc/environment ]; then
        value=$(sed -n -E "s/^(export +)?($1|$upper)=//p" /etc/environment | tail -n 1)
        value=$(printf '%s' "$value" | sed -e "s/^[\"']//" -e "s/[\"'] *\$//")
    fi
    [ -z "$value" ] || export "$1=$value" "$upper=$value"
}
for name in @NAMES@; do
    proxy "$name"
done
