note() {
    if @STATUS@ >/dev/null 2>&1; then echo docker_service=active; else echo docker_service=inactive; fi
    if @IS_ENABLED@; then echo enabled=enabled; else echo enabled=disabled; fi
    main=$(pid)
}
dependents() {
    :
}
