file=@DOCKERD@
owner=$(@OWNER@ || true)
[ -n "$owner" ] || { echo "$file does not belong to a package" >&2; exit 1; }
version() {
    name=$1
    @INSTALLED@ || true
}
before=$(version "$owner")
{
@PREPARE@

set -- "$owner"
for other in @COMPANIONS@; do
    [ "$other" = "$owner" ] || [ -z "$(version "$other")" ] || set -- "$@" "$other"
done
@UPGRADE@
} >&2
{
    echo "stale ${stale:-no}"
    echo "before $before"
    echo "after $(version "$owner")"
} >@REPORT@
