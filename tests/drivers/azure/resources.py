"""What the fake ARM makes and keeps, and what it refuses: one function per kind, `PUT` body in, stored body out.

The shapes are the recorded answers'; the rules are those that the driver relies on. https://learn.microsoft.com/rest/api
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import uuid
from typing import Any

from tests.drivers.azure import recorded
from tests.drivers.azure.catalogue import GALLERIES, IMAGES, SKUS

Thing = dict[str, Any]


# https://github.com/hashicorp/terraform-provider-azurestack/issues/100
UNMANAGED_SET = (
    "Addition of a VM with managed disks to non-managed Availability Set or addition of a VM with blob based disks to "
    "managed Availability Set is not supported. Please create an Availability Set with 'Aligned' SKU in order to add a "
    "VM with managed disks to it."
)
# https://github.com/google/cloud-forensics-utils/issues/488
NO_PREMIUM = (
    "Requested operation cannot be performed because the VM size {} does not support the storage account type {} of "
    "disk '{}'. Consider updating the VM to a size that supports Premium storage."
)
# https://github.com/microsoft/CromwellOnAzure/issues/231
ELSEWHERE = (
    "Resource {} referenced by resource {} was not found. Please make sure that the referenced resource exists, and "
    "that both resources are in the same region."
)
# https://github.com/hashicorp/terraform-provider-azurerm/issues/30197
NOT_PROVISIONED = (
    "Cannot proceed with operation because resource {} used by resource {} is not in Succeeded state. Resource is in "
    "Updating state and the last operation that updated/is updating the resource is PutSubnetOperation."
)
# https://github.com/kubernetes/kubernetes/issues/96706
ATTACHED_TO_RUNNING = (
    "Cannot resize disk {} while it is attached to running VM {}. Resizing a disk of an Azure Virtual Machine requires "
    "the virtual machine to be deallocated. Please stop your VM and retry the operation."
)
ABOUT_IMAGES = ("id", "sharedGalleryImageId", "communityGalleryImageId")


class Refused(Exception):
    """ARM's no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


def known(code: str) -> Refused:
    """A refusal as it was recorded."""
    status, body = recorded.errors()[code]
    found = Refused(status, code, "")
    found.body = body
    return found


class Account:
    """One subscription. `things`: id in small letters -> resource; resource groups are among them."""

    def __init__(self, subscription: str) -> None:
        self.subscription = subscription
        self.things: dict[str, Thing] = {}
        self.public = "20.0.0.{}"  # the addresses it hands out
        self.private = ""  # the next interface's, "" for one of its subnet
        self._count = 0

    def of(self, kind: str) -> list[Thing]:
        """All resources of a type's last word."""
        return [
            thing for thing in self.things.values() if str(thing["type"]).rpartition("/")[2].lower() == kind.lower()
        ]

    def find(self, thing_id: str) -> Thing:
        """What another resource refers to, by id; InvalidResourceReference, ReferencedResourceNotProvisioned."""
        found = self.things.get(thing_id.lower())
        if found is None and "/subnets/" in thing_id.lower():
            network = self.things.get(thing_id.lower().partition("/subnets/")[0])
            subnets = (network or {}).get("properties", {}).get("subnets", [])
            found = next((dict(subnet) for subnet in subnets if subnet["id"].lower() == thing_id.lower()), None)
        if found is None:
            raise Refused(400, "InvalidResourceReference", f"Resource {thing_id} referenced was not found.")
        if found["properties"].get("provisioningState") == "Updating":
            raise Refused(409, "ReferencedResourceNotProvisioned", NOT_PROVISIONED.format(thing_id, "another"))
        return found

    def number(self) -> int:
        """1, 2, 3, ..."""
        self._count += 1
        return self._count

    # users

    def interface_of(self, key: str, thing_id: str) -> Thing | None:
        """The interface that has this address, security group or subnet."""
        for nic in self.of("networkInterfaces"):
            inner = [config["properties"] for config in nic["properties"]["ipConfigurations"]]
            ids = [props.get(key, {}).get("id", "") for props in [nic["properties"], *inner]]
            if any(found.lower().startswith(thing_id.lower()) for found in ids if found):
                return nic
        return None

    def machine_with(self, nic: str) -> Thing | None:
        """The machine that has this interface."""
        for machine in self.of("virtualMachines"):
            if any(
                n["id"].lower() == nic.lower() for n in machine["properties"]["networkProfile"]["networkInterfaces"]
            ):
                return machine
        return None

    def busy(self, thing: Thing) -> None:
        """Refuse the removal of what somebody has."""
        kind, own = str(thing["type"]).rpartition("/")[2], str(thing["id"])
        if kind == "networkInterfaces" and self.machine_with(own):
            raise Refused(400, "NicInUse", f"Network Interface {own} is used by existing resource.")
        for other, key, code in (
            ("publicIPAddresses", "publicIPAddress", "PublicIPAddressCannotBeDeleted"),
            ("networkSecurityGroups", "networkSecurityGroup", "InUseNetworkSecurityGroupCannotBeDeleted"),
            ("virtualNetworks", "subnet", "InUseSubnetCannotBeDeleted"),
            ("subnets", "subnet", "InUseSubnetCannotBeDeleted"),
        ):
            if kind == other and (nic := self.interface_of(key, own)):
                raise Refused(400, code, f"{own} is in use by {nic['id']}.")
        if kind == "availabilitySets" and any(
            m["properties"].get("availabilitySet", {}).get("id", "").lower() == own.lower()
            for m in self.of("virtualMachines")
        ):
            raise Refused(409, "OperationNotAllowed", f"Availability Set cannot be deleted. {own} has machines.")
        if kind == "disks" and thing.get("managedBy"):
            raise Refused(409, "OperationNotAllowed", f"Disk {own} is attached to VM {thing['managedBy']}.")

    # makers

    def make(self, kind: str, thing_id: str, body: Thing) -> Thing:
        """The stored resource for a PUT, new or once more."""
        name = thing_id.rpartition("/")[2]
        maker = getattr(self, f"_make_{kind}")
        made: Thing = maker(thing_id, name, body, self.things.get(thing_id.lower()))
        made |= {"id": thing_id, "name": name, "location": body.get("location", ""), "tags": body.get("tags", {})}
        if "zones" in body:
            made["zones"] = body["zones"]
        return made

    def change(self, kind: str, thing: Thing, wanted: Thing) -> None:
        """Lay a PATCH's properties over those of a resource. A machine that runs would be rebooted for another size."""
        if kind == "virtualMachines":
            size = wanted["hardwareProfile"]["vmSize"]
            if size not in [sku["name"] for sku in SKUS]:
                raise Refused(400, "InvalidParameter", "The value for the VM size (vmSize) is invalid.")
            thing["power"] = thing["power"] if thing["power"] == "deallocated" else "starting"
            thing["properties"]["hardwareProfile"] = {"vmSize": size}
            return
        user = self.things.get(str(thing.get("managedBy", "")).lower())
        if user is not None and user["power"] != "deallocated":
            raise Refused(409, "OperationNotAllowed", ATTACHED_TO_RUNNING.format(thing["name"], user["id"]))
        if wanted["diskSizeGB"] < thing["properties"]["diskSizeGB"]:
            raise Refused(400, "InvalidParameter", "Disks or snapshot cannot be resized down.")
        thing["properties"]["diskSizeGB"] = wanted["diskSizeGB"]

    def _make_availabilitySets(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        wanted = body["properties"]
        if wanted["platformFaultDomainCount"] > 2:
            raise Refused(400, "InvalidParameter", "The specified fault domain count 3 must fall in the range 1 to 2.")
        made = recorded.body("availabilityset_create_200", **wanted)
        made["sku"] = {"name": body.get("sku", {}).get("name", "Classic")}
        return made

    def _make_virtualNetworks(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        wanted = body["properties"]
        space = [ipaddress.ip_network(text) for text in wanted["addressSpace"]["addressPrefixes"]]
        subnets = [self.subnet(f"{thing_id}/subnets/{s['name']}", s, space) for s in wanted.get("subnets", [])]
        made = recorded.body("vnet_create_201", **{**wanted, "subnets": subnets})
        made["properties"]["provisioningState"] = "Succeeded"
        return made

    def subnet(self, thing_id: str, body: Thing, space: list[Any]) -> Thing:
        """A subnet as its network lists it."""
        prefix = ipaddress.ip_network(body["properties"]["addressPrefix"])
        if not any(prefix.subnet_of(whole) for whole in space):
            raise Refused(400, "NetcfgInvalidSubnet", f"Subnet {prefix} is not in the network's address space.")
        found: Thing = recorded.load("vnet_create_201")["body"]["properties"]["subnets"][0]
        found["properties"] |= {**body["properties"], "provisioningState": "Succeeded"}
        return {**found, "id": thing_id, "name": thing_id.rpartition("/")[2]}

    def _make_networkSecurityGroups(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        priorities = [rule["properties"]["priority"] for rule in body["properties"]["securityRules"]]
        if len(set(priorities)) < len(priorities) or not all(100 <= p <= 4096 for p in priorities):
            raise Refused(400, "SecurityRuleConflict", "Rules have the same priority.")
        properties = {**body["properties"], "provisioningState": "Succeeded"}
        return {"type": "Microsoft.Network/networkSecurityGroups", "properties": properties}

    def _make_publicIPAddresses(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        if body.get("sku", {}).get("name") != "Standard":
            raise Refused(400, "IPv4BasicSkuPublicIpCountLimitReached", "Cannot create more than 0 Basic addresses.")
        if body["properties"].get("publicIPAllocationMethod") != "Static":
            raise Refused(400, "StandardSkuPublicIPMustBeStatic", "Standard sku publicIp must use Static allocation.")
        label = body["properties"].get("dnsSettings", {}).get("domainNameLabel")
        if label and not old and label in self.labels():
            raise Refused(400, "DnsRecordInUse", f"DNS record {label} is already used by another public IP.")
        address = old["properties"]["ipAddress"] if old else self.public.format(self.number())
        made = recorded.body("publicip_create_201_updating", **body["properties"], ipAddress=address)
        made["properties"]["provisioningState"] = "Succeeded"
        if not label:
            made["properties"].pop("dnsSettings", None)
        return {**made, "sku": body["sku"]}

    def labels(self) -> set[str]:
        """DNS labels that are taken."""
        found = [ip["properties"].get("dnsSettings", {}).get("domainNameLabel") for ip in self.of("publicIPAddresses")]
        return {"taken", *filter(None, found)}

    def _make_networkInterfaces(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        wanted = body["properties"]
        group = self.find(wanted["networkSecurityGroup"]["id"])
        if group["location"] != body["location"]:
            raise Refused(400, "InvalidResourceReference", ELSEWHERE.format(group["id"], thing_id))
        config = wanted["ipConfigurations"][0]
        inner = dict(config["properties"])
        subnet = ipaddress.ip_network(self.find(inner["subnet"]["id"])["properties"]["addressPrefix"])
        if "publicIPAddress" in inner:
            address = self.find(inner["publicIPAddress"]["id"])
            user = self.interface_of("publicIPAddress", str(address["id"]))
            if user is not None and user["id"] != thing_id:
                raise Refused(400, "PublicIPAddressInUse", f"{address['id']} is used by {user['id']}.")
        if inner["privateIPAllocationMethod"] == "Static":
            if ipaddress.ip_address(inner["privateIPAddress"]) not in subnet:
                raise known("PrivateIPAddressNotInAnySubnet")
        elif old:
            inner["privateIPAddress"] = old["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
        else:
            inner["privateIPAddress"] = self.private or str(subnet[3 + self.number()])
        made = recorded.body("nic_create_201", **wanted)
        shown = made["properties"]["ipConfigurations"] = recorded.load("nic_create_201")["body"]["properties"][
            "ipConfigurations"
        ]
        shown[0] |= {"name": config["name"], "id": f"{thing_id}/ipConfigurations/{config['name']}"}
        shown[0]["properties"] = {"provisioningState": "Succeeded", "primary": True, **inner}
        return made

    def _make_virtualMachines(self, thing_id: str, name: str, body: Thing, old: Thing | None) -> Thing:
        wanted = body["properties"]
        size = next((s for s in SKUS if s["name"] == wanted["hardwareProfile"]["vmSize"]), None)
        if size is None:
            raise Refused(400, "InvalidParameter", "The value for the VM size (vmSize) is invalid.")
        nic = wanted["networkProfile"]["networkInterfaces"][0]["id"]
        self.find(nic)
        user = self.machine_with(nic)
        if user is not None and user["id"] != thing_id:
            raise Refused(400, "NicInUse", f"Network Interface {nic} is used by {user['id']}.")
        self._check_set(body)
        self._check_system(wanted)
        reference = self._image(wanted["storageProfile"]["imageReference"], body)
        disk = self._disk(thing_id, body)
        made = recorded.body("vm_create_201_creating", **wanted)
        made["properties"] |= {
            "vmId": old["properties"]["vmId"] if old else str(uuid.uuid4()),
            "storageProfile": {"imageReference": reference, "osDisk": disk, "dataDisks": []},
            "provisioningState": old["properties"]["provisioningState"] if old else "Creating",
        }
        made["power"] = old["power"] if old else ""
        made["customData"] = wanted["osProfile"].get("customData", "")
        made["properties"]["osProfile"] = {k: v for k, v in wanted["osProfile"].items() if k != "customData"}
        return made

    def _check_set(self, body: Thing) -> None:
        wanted = body["properties"]
        if "availabilitySet" not in wanted:
            return
        there = self.find(wanted["availabilitySet"]["id"])
        if there["location"] != body["location"]:  # in our words: nobody has published Azure's
            raise Refused(400, "InvalidParameter", f"{there['id']} is in {there['location']}.")
        if there["sku"]["name"] != "Aligned" and "managedDisk" in wanted["storageProfile"]["osDisk"]:
            raise Refused(409, "OperationNotAllowed", UNMANAGED_SET)
        if "zones" in body or wanted.get("priority") == "Spot":
            raise Refused(400, "BadRequest", "An availability set goes together neither with zones nor with Spot.")

    def _check_system(self, wanted: Thing) -> None:
        system = wanted["osProfile"]
        if not system.get("adminUsername"):
            raise known("InvalidParameter")
        key = system["linuxConfiguration"]["ssh"]["publicKeys"][0]
        if key["path"] != f"/home/{system['adminUsername']}/.ssh/authorized_keys":
            raise Refused(400, "InvalidParameter", "Destination path for SSH public keys is limited.")
        if not key["keyData"].startswith(("ssh-rsa ", "ssh-ed25519 ")) or len(system["computerName"]) > 64:
            raise Refused(400, "InvalidParameter", "The value of ssh.publicKeys.keyData is invalid.")
        try:
            data = base64.b64decode(system.get("customData", ""), validate=True)
        except binascii.Error:
            raise Refused(400, "InvalidParameter", "Custom data in OSProfile must be in Base64 encoding.") from None
        if len(data) > 65535:
            raise Refused(400, "InvalidParameter", "Custom data in OSProfile must not exceed 65535 characters.")

    def _image(self, reference: Thing, body: Thing) -> Thing:
        if "publisher" not in reference:
            self._gallery_image(reference, body)
            return reference
        urn = ":".join(reference[key] for key in ("publisher", "offer", "sku"))
        image = IMAGES.get(urn.lower())
        if image is None or reference["version"] not in ("latest", *image["versions"]):
            raise Refused(404, "PlatformImageNotFound", f"The platform image '{urn}:latest' is not available.")
        plan = image.get("plan")
        if plan and {**body.get("plan", {})} != plan:
            raise Refused(
                400, "VMMarketplaceInvalidInput", "Creating a virtual machine from Marketplace image or a ..."
            )
        return {**reference, "exactVersion": image["versions"][-1]}

    def _gallery_image(self, reference: Thing, body: Thing) -> None:
        """An image by one of its three kinds of id; a version of it, or the latest."""
        [(kind, image_id)] = reference.items()
        assert kind in ABOUT_IMAGES, kind
        path = image_id.lower().partition("/versions/")[0]
        begins = {"id": "/subscriptions/", "sharedGalleryImageId": "/sharedgalleries/"}
        assert path.startswith(begins.get(kind, "/communitygalleries/")), f"{kind} is not for {image_id}"
        own = self.things.get(path, {}).get("properties")
        found = own if kind == "id" else GALLERIES.get(path.strip("/"))
        if found is None:
            raise Refused(
                404, "GalleryImageNotFound", f"The gallery image {image_id} is not available in westus region."
            )
        plan = found.get("purchasePlan")
        if plan and body.get("plan") != plan:
            raise Refused(
                400, "VMMarketplaceInvalidInput", "Creating a virtual machine from Marketplace image or a ..."
            )

    def _disk(self, thing_id: str, body: Thing) -> Thing:
        wanted = dict(body["properties"]["storageProfile"]["osDisk"])
        group = thing_id.partition("/providers/")[0]
        kind, size = wanted["managedDisk"]["storageAccountType"], body["properties"]["hardwareProfile"]["vmSize"]
        able = next(sku for sku in SKUS if sku["name"] == size)["capabilities"]
        if kind.startswith("Premium") and {"name": "PremiumIO", "value": "False"} in able:
            raise Refused(400, "InvalidParameter", NO_PREMIUM.format(size, kind, wanted["name"]))
        disk_id = f"{group}/providers/Microsoft.Compute/disks/{wanted['name']}"
        there = self.things.get(disk_id.lower())
        if there is not None and there.get("managedBy") != thing_id:
            raise Refused(409, "ConflictingUserInput", f"Disk {wanted['name']} already exists.")
        self.things[disk_id.lower()] = {
            "id": disk_id,
            "name": wanted["name"],
            "type": "Microsoft.Compute/disks",
            "location": body["location"],
            "tags": body.get("tags", {}),
            "managedBy": thing_id,
            "properties": {"diskSizeGB": wanted["diskSizeGB"], "provisioningState": "Succeeded"},
        }
        wanted["managedDisk"] = {**wanted["managedDisk"], "id": disk_id}
        return {"osType": "Linux", **wanted}

    def drop(self, thing: Thing) -> None:
        """It is gone, with what goes along."""
        self.things.pop(str(thing["id"]).lower(), None)
        kind = str(thing["type"]).rpartition("/")[2]
        if kind == "resourceGroups":
            inside = str(thing["id"]).lower() + "/"
            for thing_id in [other for other in self.things if other.startswith(inside)]:
                del self.things[thing_id]
        if kind == "virtualMachines":
            disk = thing["properties"]["storageProfile"]["osDisk"]
            stored = self.things.get(disk["managedDisk"]["id"].lower(), {})
            stored.pop("managedBy", None)
            if disk.get("deleteOption") == "Delete":
                self.things.pop(disk["managedDisk"]["id"].lower(), None)
