"""The key names of config.json, in the order and spelling that docker-machine 0.16 writes, with their kinds.

A kind is the Python type of the value; `float` also takes whole numbers; a list holds strings only.
Go folds the case of keys when it reads, and its forks spell some of them differently, so every name here
is found whatever its case.
"""

from __future__ import annotations

Schema = dict[str, type]

VERSION = 3  # ConfigVersion

HOST: Schema = {"ConfigVersion": int, "Driver": dict, "DriverName": str, "HostOptions": dict, "Name": str}

OPTIONS: Schema = {
    "Driver": str,
    "Memory": int,
    "Disk": int,
    "EngineOptions": dict,
    "SwarmOptions": dict,
    "AuthOptions": dict,
}

ENGINE: Schema = {
    "ArbitraryFlags": list,
    "Dns": list,
    "GraphDir": str,
    "Env": list,
    "Ipv6": bool,
    "InsecureRegistry": list,
    "Labels": list,
    "LogLevel": str,
    "StorageDriver": str,
    "SelinuxEnabled": bool,
    "TlsVerify": bool,
    "RegistryMirror": list,
    "InstallURL": str,
}

SWARM: Schema = {
    "IsSwarm": bool,
    "Address": str,
    "Discovery": str,
    "Agent": bool,
    "Master": bool,
    "Host": str,
    "Image": str,
    "Strategy": str,
    "Heartbeat": int,
    "Overcommit": float,
    "ArbitraryFlags": list,
    "ArbitraryJoinFlags": list,
    "Env": list,
    "IsExperimental": bool,
}

AUTH: Schema = {
    "CertDir": str,
    "CaCertPath": str,
    "CaPrivateKeyPath": str,
    "CaCertRemotePath": str,
    "ServerCertPath": str,
    "ServerKeyPath": str,
    "ClientKeyPath": str,
    "ServerCertRemotePath": str,
    "ServerKeyRemotePath": str,
    "ClientCertPath": str,
    "ServerCertSANs": list,
    "StorePath": str,
}

MACHINE: Schema = {"Id": str, "Phase": str, "Created": str, "Version": str, "CertificatesEnd": str}  # ours

MACHINE_OPTIONAL: Schema = {  # in some machines' "Machine"
    "KeepHostname": bool,
    "SwarmMode": dict,
    "Imported": str,
    "PendingChanges": list,
    "Shares": dict,
    "CloneSnapshots": list,
}

BASE_DRIVER: Schema = {  # in every driver's object
    "IPAddress": str,
    "MachineName": str,
    "SSHUser": str,
    "SSHPort": int,
    "SSHKeyPath": str,
    "StorePath": str,
    "SwarmMaster": bool,
    "SwarmHost": str,
    "SwarmDiscovery": str,
}

ENDPOINT: Schema = {  # in some drivers' objects; EnginePort is generic's, DockerPort azure's
    "EnginePort": int,
    "DockerPort": int,
    "PeerAddress": str,
    "ListenPort": int,
    "IPv6Address": str,
    "URL": str,
}

PORTS = ("SSHPort", "EnginePort", "DockerPort", "ListenPort")
