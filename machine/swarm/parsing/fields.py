"""The names in the bodies of Docker's API, as its documentation spells them. Pure data.

https://docs.docker.com/reference/api/engine/ : creates of containers, networks, volumes, execs, services, secrets and
configs, updates, connects, logins and plugins.
"""

from __future__ import annotations

# what a container's own configuration, and that of its host, has
_CONTAINER = """
Hostname Domainname User AttachStdin AttachStdout AttachStderr ExposedPorts Tty OpenStdin StdinOnce Env Cmd Healthcheck
Test Interval Timeout Retries StartPeriod StartInterval ArgsEscaped Image Volumes WorkingDir Entrypoint NetworkDisabled
MacAddress OnBuild Labels StopSignal StopTimeout Shell HostConfig NetworkingConfig EndpointsConfig Cpuset
"""
_HOST = """
Binds ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove VolumeDriver VolumesFrom ConsoleSize
Annotations Mounts CapAdd CapDrop Capabilities CgroupnsMode Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup
Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt StorageOpt Tmpfs UTSMode UsernsMode
ShmSize Sysctls Runtime Isolation MaskedPaths ReadonlyPaths Init CpuShares Memory NanoCpus CgroupParent BlkioWeight
BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota
CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems Devices DeviceCgroupRules DeviceRequests KernelMemory
KernelMemoryTCP MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent
IOMaximumIOps IOMaximumBandwidth
"""
_INSIDE = """
Type Config Name MaximumRetryCount HostIp HostPort Source Target ReadOnly Consistency BindOptions Propagation
NonRecursive CreateMountpoint ReadOnlyNonRecursive ReadOnlyForceRecursive VolumeOptions NoCopy Subpath DriverConfig
ImageOptions TmpfsOptions ClusterOptions SizeBytes Mode Options PathOnHost PathInContainer CgroupPermissions Driver
Count DeviceIDs Path Rate Weight Soft Hard
"""
_NETWORKS = """
IPAMConfig IPv4Address IPv6Address LinkLocalIPs Aliases DriverOpts GwPriority NetworkID EndpointID Gateway IPAddress
IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen DNSNames CheckDuplicate Internal Attachable Ingress
EnableIPv4 EnableIPv6 IPAM Subnet IPRange AuxiliaryAddresses ConfigOnly ConfigFrom Network Scope Container
EndpointConfig Force
"""
_VOLUMES = """
ClusterVolumeSpec Group AccessMode Sharing MountVolume FsType MountFlags BlockVolume Secrets Key Secret
AccessibilityRequirements Requisite Preferred CapacityRange RequiredBytes LimitBytes Availability
"""
_EXECS = "DetachKeys Detach"
_SERVICES = """
TaskTemplate ContainerSpec PluginSpec Remote Disabled PluginPrivilege Description Value Command Args Dir Groups
Privileges CredentialSpec File Registry SELinuxContext Disable Level Role Seccomp Profile AppArmor NoNewPrivileges
TTY StopGracePeriod HealthCheck Hosts DNSConfig Nameservers Search SecretID SecretName UID GID Configs ConfigID
ConfigName CapabilityAdd CapabilityDrop NetworkAttachmentSpec Resources Limits Reservations NanoCPUs MemoryBytes Pids
GenericResources NamedResourceSpec DiscreteResourceSpec Kind Condition Delay MaxAttempts Window Placement Constraints
Preferences Spread SpreadDescriptor MaxReplicas Platforms Architecture OS ForceUpdate Networks LogDriver Replicated
Replicas Global ReplicatedJob MaxConcurrent TotalCompletions GlobalJob UpdateConfig Parallelism FailureAction Monitor
MaxFailureRatio Order RollbackConfig EndpointSpec Ports Protocol TargetPort PublishedPort PublishMode Data Templating
ListenAddr AdvertiseAddr DataPathAddr DataPathPort DefaultAddrPool ForceNewCluster SubnetSize Spec RemoteAddrs
JoinToken UnlockKey SwapBytes OomScoreAdj
"""
_LOGINS = "username password email serveraddress identitytoken registrytoken auth"

_ALL = " ".join((_CONTAINER, _HOST, _INSIDE, _NETWORKS, _VOLUMES, _EXECS, _SERVICES, _LOGINS)).split()
NAMES = frozenset(_ALL)
HOST_FIELDS = frozenset(_HOST.split())  # of HostConfig; engines before 23 take them beside it too

# fields whose objects have names of the user's own, in which case counts
_MAPS = """
Annotations AuxiliaryAddresses Config DriverOpts EndpointsConfig ExposedPorts Labels Options PortBindings StorageOpt
Sysctls Tmpfs Volumes
"""
MAPS = frozenset(_MAPS.split())

# fields that are read here -> their kind, that of what is in them, and so on
FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "Binds": (list, str),
    "Container": (str,),
    "CpuShares": (int,),
    "EndpointsConfig": (dict, dict),
    "Env": (list, str),
    "ExposedPorts": (dict,),
    "HostConfig": (dict,),
    "HostIp": (str,),
    "HostPort": (str,),
    "Image": (str,),
    "IpcMode": (str,),
    "Labels": (dict, str),
    "Links": (list, str),
    "Memory": (int,),
    "Mounts": (list, dict),
    "Name": (str,),
    "NetworkMode": (str,),
    "NetworkingConfig": (dict,),
    "PidMode": (str,),
    "PortBindings": (dict, list, dict),
    "Source": (str,),
    "Target": (str,),
    "Type": (str,),
    "VolumesFrom": (list, str),
}


def _by_lower_case(names: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name.lower(), name)
    return found


CANONICAL = _by_lower_case(_ALL)  # name without its case -> the spelling, a container's if there are two
