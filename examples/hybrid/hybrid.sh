#!/bin/sh
# Three Docker hosts on three providers, one cluster; its master is a virtual machine of this computer.
# Credentials come from the environment (AZURE_*, OS_*); docs/hybrid.md explains each step.
set -eu
token=token://$(machine swarm create)
machine create --swarm --swarm-master --swarm-discovery "$token" head
machine create -d azure --azure-open-port 80 --swarm --swarm-discovery "$token" worker-azure & azure=$!
machine create -d openstack --openstack-open-port 80 --swarm --swarm-discovery "$token" worker-openstack
wait "$azure"
eval "$(machine env --swarm head)"
docker info
for _ in 1 2 3; do docker run -d -p 80:80 nginx; done
docker ps
