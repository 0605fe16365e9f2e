unanswered() {
    # what an engine does that has neither answered nor failed when the wait ended; nothing for one that failed
    case "$status" in
        124 | 143 | @NO_ANSWER@) if @RUNS@; then echo "it is still starting"; fi ;; # 124 and 143 are those of `limited`
    esac
}
