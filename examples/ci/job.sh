#!/bin/sh
# One job of a CI on a machine of its own, which is removed when the script ends, however it ends.
# The driver, and what it needs, come from the environment (MACHINE_DRIVER, ...); docs/first-ci.md explains each step.
set -eu
name=ci-${CI_JOB_ID:-${GITHUB_RUN_ID:-$$}}
trap 'machine rm -f "$name"' EXIT
trap 'exit 130' INT TERM
machine create --no-use "$name"
eval "$(machine env "$name")"
docker run -d --name web -p 8080:80 busybox sh -c 'echo hello > /index.html; exec httpd -f -p 80 -h /'
curl --silent --fail --retry 20 --retry-delay 1 --retry-all-errors "http://$(machine ip "$name"):8080"
