# The lines of a block in section [main] of the configuration of dnf and yum; none take the block away. The mode that the
# file had before stands in the block. What is kept beside is written last: it says that the block is there.
file=$(readlink -f @FILE@ || echo @FILE@)
kept=@KEPT@
[ -d "${file%/*}" ] || mkdir -p "${file%/*}"
[ -d "${kept%/*}" ] || mkdir -p "${kept%/*}"
[ -f "$file" ] || printf '[main]\n' >"$file"
(umask 077 && cat >"$kept.machine-new") <<'@END@'
@LINES@
@END@
before=$(sed -n 's/^# begin machine \([0-7][0-7]*\)$/\1/p' "$file" | head -n 1)
[ -n "$before" ] || before=$(stat -c %a "$file")
cp -a "$file" "$file.machine-new"
chmod 600 "$file.machine-new"
awk -v block="$kept.machine-new" -v begin="# begin machine $before" '
    function place() {
        if (placed || (getline line <block) <= 0) return
        print begin
        do { print line } while ((getline line <block) > 0)
        print "# end machine"
        placed = 1
    }
    /^# begin machine / { inside = 1; next }
    inside && /^proxy(_username|_password)?=/ { next }
    inside { inside = 0; if (/^# end machine$/) next }
    { print }
    /^\[main\]/ { place() }
    END { if (!placed && (getline line <block) > 0) { close(block); print "[main]"; place() } }
' "$file" >"$file.machine-new"
chmod "@MODE@" "$file.machine-new"
mv -f "$file.machine-new" "$file"
if [ -s "$kept.machine-new" ]; then
    chmod "@MODE@" "$kept.machine-new"
    mv -f "$kept.machine-new" "$kept"
else
    rm -f "$kept.machine-new" "$kept"
fi
