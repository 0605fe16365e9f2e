"""Configuration of the cloud's services: what differs from Debian's defaults on a single host. Pure text.

Options are those of each service's configuration reference for Zed, e.g.
https://docs.openstack.org/nova/zed/configuration/config.html
"""

from __future__ import annotations

ADDRESS = "10.214.0.2"  # where the APIs answer; the host's end of that wire is HOST
HOST = "10.214.0.1"
PUBLIC = "10.214.1"  # network of the servers and floating IPs; .1 is this computer, .2 the cloud's host
PRIVATE = "10.214.2"  # a project's own network behind a router
PASSWORD = "open-for-tests"
REGION = "RegionOne"
NAME = "cloud"  # host name of the box
KEYSTONE = f"http://{ADDRESS}:5000/v3"
ENDPOINTS = {  # type -> (name of the service, URL)
    "image": ("glance", f"http://{ADDRESS}:9292"),
    "placement": ("placement", f"http://{ADDRESS}:8778"),
    "compute": ("nova", f"http://{ADDRESS}:8774/v2.1"),
    "network": ("neutron", f"http://{ADDRESS}:9696"),
}
DATABASES = ("keystone", "glance", "placement", "nova_api", "nova", "nova_cell0", "neutron")

_AUTH = f"""auth_type = password
auth_url = {KEYSTONE}
www_authenticate_uri = {KEYSTONE}
region_name = {REGION}
project_domain_name = Default
user_domain_name = Default
project_name = service
username = service
password = {PASSWORD}
"""
_QUEUE = f"rabbit://cloud:{PASSWORD}@127.0.0.1:5672/"


def database(name: str) -> str:
    """The URL of one of DATABASES."""
    return f"mysql+pymysql://cloud:{PASSWORD}@127.0.0.1/{name}?charset=utf8"


KEYSTONE_CONF = f"""[DEFAULT]
log_dir = /var/log/keystone
[database]
connection = {database("keystone")}
[token]
provider = fernet
[identity]
password_hash_rounds = 4
[cache]
enabled = false
"""

GLANCE_CONF = f"""[DEFAULT]
log_dir = /var/log/glance
workers = 1
[database]
connection = {database("glance")}
[keystone_authtoken]
{_AUTH}
[paste_deploy]
flavor = keystone
[glance_store]
stores = file
default_store = file
filesystem_store_datadir = /var/lib/glance/images
[oslo_concurrency]
lock_path = /var/lock/glance
"""

PLACEMENT_CONF = f"""[DEFAULT]
log_dir = /var/log/placement
[placement_database]
connection = {database("placement")}
[api]
auth_strategy = keystone
[keystone_authtoken]
{_AUTH}
"""

NOVA_CONF = f"""[DEFAULT]
host = {NAME}
my_ip = {ADDRESS}
state_path = /var/lib/nova
log_dir = /var/log/nova
transport_url = {_QUEUE}
compute_driver = libvirt.LibvirtDriver
enabled_apis = osapi_compute
osapi_compute_workers = 1
force_config_drive = true
force_raw_images = false
reserved_host_memory_mb = 512
cpu_allocation_ratio = 16.0
ram_allocation_ratio = 2.0
disk_allocation_ratio = 10.0
shutdown_timeout = 60
report_interval = 5
rpc_response_timeout = 120
[api]
auth_strategy = keystone
[api_database]
connection = {database("nova_api")}
[database]
connection = {database("nova")}
[conductor]
workers = 1
[scheduler]
workers = 1
[keystone_authtoken]
{_AUTH}
[service_user]
send_service_user_token = true
{_AUTH}
[placement]
{_AUTH}
[glance]
api_servers = {ENDPOINTS["image"][1]}
[neutron]
{_AUTH}
[libvirt]
virt_type = qemu
cpu_mode = none
hw_machine_type = x86_64=pc
[vnc]
enabled = false
[workarounds]
disable_rootwrap = true
[image_cache]
remove_unused_base_images = false
[oslo_concurrency]
lock_path = /var/lock/nova
"""

NEUTRON_CONF = f"""[DEFAULT]
host = {NAME}
state_path = /var/lib/neutron
log_dir = /var/log/neutron
core_plugin = ml2
service_plugins = router
auth_strategy = keystone
transport_url = {_QUEUE}
api_workers = 1
rpc_workers = 1
rpc_response_timeout = 15
rpc_state_report_workers = 0
notify_nova_on_port_status_changes = true
notify_nova_on_port_data_changes = true
interface_driver = linuxbridge
[experimental]
linuxbridge = true
[agent]
root_helper = sudo
report_interval = 5
[database]
connection = {database("neutron")}
[keystone_authtoken]
{_AUTH}
[nova]
{_AUTH}
[oslo_concurrency]
lock_path = /var/lock/neutron
"""

ML2_CONF = """[ml2]
type_drivers = flat,local
tenant_network_types = local
mechanism_drivers = linuxbridge
extension_drivers = port_security
[ml2_type_flat]
flat_networks = *
[securitygroup]
enable_security_group = true
enable_ipset = true
"""

BRIDGE_CONF = """[linux_bridge]
physical_interface_mappings = outside:eth1
[vxlan]
enable_vxlan = false
[securitygroup]
enable_security_group = true
enable_ipset = true
firewall_driver = iptables
"""

# Servers learn their addresses from the config drive, as in many clouds: no DHCP, no metadata service.
L3_CONF = """[DEFAULT]
agent_mode = legacy
enable_metadata_proxy = false
"""

# One host, nothing to lose at a crash: the journal of changes is not flushed.
MARIADB_CNF = """[mysqld]
bind-address = 127.0.0.1
skip-name-resolve
max_connections = 400
innodb_flush_log_at_trx_commit = 0
innodb_doublewrite = 0
innodb_buffer_pool_size = 256M
character-set-server = utf8mb3
collation-server = utf8mb3_general_ci
"""

# The box is itself a container: libvirt can neither make control groups nor namespaces of its own for a server.
QEMU_CONF = """security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
"""

# Debian lets the services become root through a filter, whose start costs a second of a slow processor each time.
SUDOERS = "nova ALL=(root) NOPASSWD: ALL\nneutron ALL=(root) NOPASSWD: ALL\n"

FILES = {  # path -> content
    "/etc/keystone/keystone.conf": KEYSTONE_CONF,
    "/etc/glance/glance-api.conf": GLANCE_CONF,
    "/etc/placement/placement.conf": PLACEMENT_CONF,
    "/etc/nova/nova.conf": NOVA_CONF,
    "/etc/nova/nova-compute.conf": "",
    "/etc/neutron/neutron.conf": NEUTRON_CONF,
    "/etc/neutron/plugins/ml2/ml2_conf.ini": ML2_CONF,
    "/etc/neutron/plugins/ml2/linuxbridge_agent.ini": BRIDGE_CONF,
    "/etc/neutron/l3_agent.ini": L3_CONF,
    "/etc/mysql/mariadb.conf.d/90-lab.cnf": MARIADB_CNF,
    "/etc/rabbitmq/rabbitmq.conf": "listeners.tcp.default = 127.0.0.1:5672\nlog.file.level = warning\n",
    "/etc/libvirt/qemu.conf": QEMU_CONF,
    "/etc/sudoers.d/90-lab": SUDOERS,
    "/etc/hostname": f"{NAME}\n",
    "/etc/hosts": f"127.0.0.1 localhost {NAME}\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions attempts:1 timeout:1\n",
}
