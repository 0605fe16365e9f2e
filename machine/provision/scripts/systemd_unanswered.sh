unanswered() {
    # what an engine does that has neither answered nor failed when the wait ended; nothing for one that failed
    case "$(systemctl show docker.service -p SubState -p Result)" in
        *Result=timeout*) echo "its unit ended it after its TimeoutStartSec" ;;
        *SubState=stop* | *SubState=final-*) ! timed_out || echo "the one before it is still stopping" ;;
        *SubState=auto-restart* | *SubState=failed* | *SubState=dead*) ;;
        *) ! timed_out || echo "it is still starting" ;;
    esac
}
timed_out() {
    # 124 and 143 are those of `limited`
    case "$status" in 124 | 143 | @NO_ANSWER@) ;; *) return 1 ;; esac
}
