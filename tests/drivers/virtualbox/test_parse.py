"""Every recorded output is understood; what VirtualBox 7.2 prints, not what is remembered of it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

import pytest

from machine.drivers.virtualbox import errors, hostonly, parse
from machine.drivers.virtualbox.client import VBox
from machine.errors import DriverError
from machine.process import Completed
from tests.drivers.virtualbox import transcripts
from tests.drivers.virtualbox.answers import NET
from tests.drivers.virtualbox.transcripts import Transcript, every, first

FAILED = [each for each in every() if errors.MARK in each.stderr]
# what is asked for its success alone, or was recorded and is never asked: nothing of its output is read
UNREAD = re.compile(
    "clonehd|clonemedium|closemedium|convertfromraw|createmedium|createvm|dhcpserver (add|modify|remove)|getextradata"
    "|guestproperty (enumerate|set)|hostonlyif ipconfig|list vms --long|modifymedium|modifyvm|natnetwork|setextradata"
    "|clonevm|sharedfolder|showvminfo m1$|snapshot|storageattach|storagectl|unregistervm"
)


def text(each: Transcript) -> str:
    return " ".join(each.words)


def asked(each: Transcript) -> VBox:
    """A VBoxManage that has been asked that, and nothing else."""

    def run(argv: Sequence[str], **how: object) -> Completed:
        assert tuple(argv) == ("VBoxManage", *each.words)
        return Completed(each.rc, each.stdout, each.stderr)

    return VBox("VBoxManage", "dev", run)


def lines(each: Transcript, key: str) -> list[str]:
    """What is behind that key at the beginning of a line, told by nothing of ours."""
    return [line[len(key) + 1 :].strip() for line in each.stdout.splitlines() if line.startswith(f"{key}:")]


def of(*words: str, rc: int = 0) -> list[Transcript]:
    """All recordings of that very command ("*": of any word there)."""
    found = [
        each
        for each in every()
        if each.rc == rc
        and len(each.words) == len(words)
        and all(want in ("*", have) for want, have in zip(words, each.words, strict=True))
    ]
    assert found
    return found


def test_how_many_were_recorded() -> None:
    assert len([each for each in every() if each.words]) > 245
    assert len(FAILED) > 60


def test_every_recording_is_a_success_or_a_failure() -> None:
    """The program's own word decides, even where its status does not."""
    for each in every():
        try:
            done = asked(each).call(*each.words)
        except DriverError as error:
            assert each.rc or errors.MARK in each.stderr, text(each)
            assert error.resolution, text(each)
        else:
            assert done == Completed(0, each.stdout, each.stderr), text(each)
            assert errors.MARK not in each.stderr, text(each)


def test_nothing_was_recorded_that_no_test_reads() -> None:
    read = [each for kind in KINDS for each in of(*kind.split())]
    rest = [each for each in every() if each not in read and each not in FAILED and each.words]
    assert [text(each) for each in rest if not UNREAD.match(text(each))] == []
    assert len(read) > 70


def check_version(each: Transcript) -> None:
    assert parse.version(asked(each).version()) == (7, 2, 22)
    assert parse.lacks_kernel_driver(each.stdout) is ("WARNING" in each.stdout)


def check_machines(each: Transcript) -> None:
    found = asked(each).machines() if each.words[1] == "vms" else parse.vms(each.stdout)
    assert "".join(f'"{name}" {{{uuid}}}\n' for uuid, name in found.items()) == each.stdout


def check_host(each: Transcript) -> None:
    host = asked(each).host()
    assert host["Memory size"] == "24105 MByte"
    assert host["Processor supports HW virtualization"] == "no"
    assert len(host) == sum(":" in line for line in each.stdout.splitlines()) > 15


def check_interfaces(each: Transcript) -> None:
    found = asked(each).interfaces()
    assert [block["Name"] for block in found] == lines(each, "Name")
    for block in found:
        assert len(block) == 12
        assert block["Name"] == "vboxnet0"
        assert block["VBoxNetworkName"] == hostonly.PREFIX + block["Name"]
        assert ipaddress.ip_interface(f"{block['IPAddress']}/{block['NetworkMask']}").network.prefixlen == 24


def check_dhcp_servers(each: Transcript) -> None:
    found = asked(each).dhcp_servers()
    assert [block["NetworkName"] for block in found] == lines(each, "NetworkName") != []
    for block in found:
        server, lower, upper = (
            ipaddress.IPv4Address(block[key]) for key in ("Dhcpd IP", "LowerIPAddress", "UpperIPAddress")
        )
        assert server < lower < upper
        assert (block["NetworkMask"], block["Enabled"] in ("Yes", "No")) == ("255.255.255.0", True)


def check_medium(each: Transcript) -> None:
    (said,) = lines(each, "Capacity")
    assert f"{asked(each).capacity(each.words[2])} MBytes" == said
    assert lines(each, "Location") == [each.words[2]]


def check_media(each: Transcript) -> None:
    """Listed for the tests on the real program only; the same blocks as the others."""
    found = parse.blocks(each.stdout)
    assert [block["Location"] for block in found] == lines(each, "Location")
    for block in found:
        assert len(block["UUID"]) == 36
        assert block["Capacity"].endswith(" MBytes")


def check_hard_disks(each: Transcript) -> None:
    """Each with its parent and with the snapshots that it is of."""
    found = asked(each).hard_disks()
    assert [disk.location for disk in found.values()] == lines(each, "Location")
    assert [disk.parent or "base" for disk in found.values()] == lines(each, "Parent UUID")
    of = {uuid for disk in found.values() for uuid in disk.snapshots}
    assert len(of) == each.stdout.count(" [")
    for uuid in of:
        base = "/root/machines/dev/disk.vdi"
        medium = parse.disk_of_snapshot(found, uuid, base)
        assert uuid in found[medium].snapshots
        assert parse.disk_of_snapshot(found, uuid, "/root/machines/other/disk.vdi") == ""


def check_blocks(each: Transcript) -> None:
    """Lists that the driver never asks for, in the same shape; a heading of its own counts for nothing."""
    key = {"ostypes": "ID / Description", "systemproperties": "API version"}.get(each.words[1], "Name")
    found = [block for block in parse.blocks(each.stdout) if key in block]
    assert [block[key] for block in found] == lines(each, key)
    assert bool(found) is bool(each.stdout)


def check_property(each: Transcript) -> None:
    value = asked(each).get_property(each.words[2], each.words[3])
    assert f"Value: {value}\n" == each.stdout or (value, each.stdout) == ("", "No value set!\n")


def check_lease(each: Transcript) -> None:
    interface, card = (word.partition("=")[2] for word in each.words[2:])
    (state,), (address,) = lines(each, "State"), lines(each, "IP Address")
    assert asked(each).lease(interface, card) == (address if state == "acked" else "")
    assert lines(each, "MAC Address") == [card]


def check_info(each: Transcript) -> None:
    info = asked(each).info(each.words[1])
    assert info is not None
    assert info["VMState"] == "poweroff"
    assert each.words[1] in (info["name"], info["UUID"])
    assert info["memory"].isdigit()
    assert len(info) == len([line for line in each.stdout.splitlines() if "=" in line]) > 100


KINDS = {
    "--version": check_version,
    "list vms": check_machines,
    "list runningvms": check_machines,
    "list hostinfo": check_host,
    "list hostonlyifs": check_interfaces,
    "list hostonlyifs --long": check_blocks,
    "list dhcpservers": check_dhcp_servers,
    "list hdds": check_media,
    "list hdds --long": check_hard_disks,
    "list dvds": check_media,
    "list bridgedifs": check_blocks,
    "list natnets": check_blocks,
    "list natnetworks": check_blocks,
    "list intnets": check_blocks,
    "list ostypes": check_blocks,
    "list systemproperties": check_blocks,
    "showmediuminfo disk *": check_medium,
    "guestproperty get * *": check_property,
    "dhcpserver findlease * *": check_lease,
    "showvminfo * --machinereadable": check_info,
}


@pytest.mark.parametrize(("kind", "each"), [(kind, each) for kind in KINDS for each in of(*kind.split())])
def test_every_recording_of_each_kind(kind: str, each: Transcript) -> None:
    KINDS[kind](each)


@pytest.mark.parametrize("each", of("dhcpserver", "findlease", "*", "*", rc=1), ids=lambda each: each.words[3])
def test_where_there_is_no_lease(each: Transcript) -> None:
    """No file of leases yet, none of this card, no such interface: not known yet, rather than an error."""
    interface, card = (word.partition("=")[2] for word in each.words[2:])
    assert asked(each).lease(interface, card) == ""


@pytest.mark.parametrize("each", of("showvminfo", "*", "--machinereadable", rc=1), ids=text)
def test_a_machine_that_is_not_known(each: Transcript) -> None:
    assert asked(each).info(each.words[1]) is None


@pytest.mark.parametrize("each", of("list", "hostonlynets", rc=2), ids=text)
def test_host_only_networks_are_macos_own(each: Transcript) -> None:
    """Nowhere else is the command known; what macOS prints was not recorded."""
    with pytest.raises(errors.NotUnderstood):
        asked(each).networks()


def test_the_version_with_and_without_the_wrapper() -> None:
    plain, warned = [each.stdout for each in every() if each.words == ("--version",)][:2]
    assert parse.version(plain) == parse.version(warned) == (7, 2, 22)
    assert not parse.lacks_kernel_driver(plain)
    assert parse.lacks_kernel_driver(warned)
    assert parse.version("nonsense") == (0, 0, 0)


def test_lists_of_machines() -> None:
    (two,) = [each for each in every() if each.words == ("list", "vms") and '"sw2"' in each.stdout]
    assert parse.vms(two.stdout) == {
        "f3ca879e-90f7-4892-a316-7a357dbabfe6": "sw",
        "47e47ab7-bf2c-494d-86a8-180ff663fa9e": "sw2",
    }
    assert parse.vms("") == {}
    assert parse.vms('"a "quoted" name" {f3ca879e-90f7-4892-a316-7a357dbabfe6}\n') == {
        "f3ca879e-90f7-4892-a316-7a357dbabfe6": 'a "quoted" name'
    }


def test_a_machine_with_everything() -> None:
    info = parse.fields([each for each in every() if each.words[:2] == ("showvminfo", "sw")][-1].stdout)
    assert parse.forwards(info) == {"ssh": "tcp,127.0.0.1,49153,,22"}
    assert parse.shares(info) == {"hosthome"}
    assert info["SATA-1-0"] == "/root/.docker/machine/machines/sw/disk.vmdk"
    assert info["hostonlyadapter2"] == "vboxnet0"
    assert info["macaddress2"] == "0800271AC468"


def test_interfaces_and_dhcp_servers() -> None:
    (block,) = parse.blocks(first("list", "hostonlyifs", text="vboxnet0").stdout)
    assert (block["Name"], block["IPAddress"], block["NetworkMask"]) == ("vboxnet0", "192.168.56.1", "255.255.255.0")
    assert block["IPV6Address"] == ""
    one, other = parse.blocks(first("list", "dhcpservers", text="vboxnet7").stdout)
    assert one["NetworkName"] == "HostInterfaceNetworking-vboxnet0"
    assert (one["Dhcpd IP"], one["LowerIPAddress"], one["Enabled"]) == ("192.168.99.6", "192.168.99.100", "Yes")
    assert other["NetworkName"] == "HostInterfaceNetworking-vboxnet7"
    assert parse.blocks("") == []
    names = {block["Name"] for block in parse.blocks(first("list", "bridgedifs").stdout)}
    assert {"eth0", "ifb0"} <= names


def test_host_only_networks_have_an_empty_line_inside() -> None:
    text = NET.format(
        name="a b", guid="g", state="Enabled", mask="255.255.255.0", lower="10.0.0.100", upper="10.0.0.254"
    )
    for whole in (text + text.replace("a b", "c"), (text + text.replace("a b", "c")).replace("\n", "\r\n")):
        one, other = parse.networks(whole)
        assert (one["Name"], one["LowerIP"], one["NetworkMask"]) == ("a b", "10.0.0.100", "255.255.255.0")
        assert (other["Name"], other["VBoxNetworkName"]) == ("c", "hostonly-c")
    assert parse.networks("") == []


def test_paths_of_windows_are_escaped_in_quotes() -> None:
    found = parse.fields(
        'CfgFile="C:\\\\Users\\\\a\\\\dev.vbox"\nname="a\\"b"\n"SATA-1-0"="C:\\\\x\\\\disk.vdi"\nmemory=1024\n'
    )
    assert found == {
        "CfgFile": "C:\\Users\\a\\dev.vbox",
        "name": 'a"b',
        "SATA-1-0": "C:\\x\\disk.vdi",
        "memory": "1024",
    }


def test_values() -> None:
    assert parse.property_value(first("guestproperty", "get", text="Value: /").stdout) == "/"
    assert parse.property_value(first("guestproperty", "get", text="No value").stdout) == ""
    assert parse.made_interface("0%...100%\nInterface 'vboxnet3' was successfully created\n") == "vboxnet3"
    assert parse.made_interface(first("hostonlyif", "create", rc=1).stdout) == ""


@pytest.mark.parametrize("each", FAILED, ids=lambda each: " ".join(each.words[:3])[:60])
def test_every_failure_is_a_class_with_its_words_and_a_cure(each: Transcript) -> None:
    error = errors.failure(" ".join(each.words[:2]), each.stderr, "dev")
    assert error.resolution
    assert error.details
    assert "Usage" not in error.details
    assert "0%..." not in error.details
    assert len(error.details) < 1200


@pytest.mark.parametrize(
    ("words", "rc", "text", "kind"),
    [
        (("showvminfo",), 1, "named 'm1'", errors.NotRegistered),
        (("showvminfo",), 1, "with UUID", errors.NotRegistered),
        (("controlvm", "m1", "poweroff"), 1, "not currently", errors.NotRunning),
        (("hostonlyif", "create"), 1, "", errors.NoKernelDriver),
        (("hostonlyif", "ipconfig"), 1, "ACCESSDENIED", errors.AddressForbidden),
        (("storagectl",), 1, "already exists", errors.AlreadyThere),
        (("storageattach",), 1, "/nonexistent", errors.FileMissing),
        (("closemedium",), 1, "IN_USE", errors.InUse),
        (("startvm",), 1, "unexpectedly", errors.StartFailed),
        (("discardstate",), 0, "Cannot discard", errors.WrongState),
        (("modifyvm", "*", "--nosuchoption"), 1, "", errors.NotUnderstood),
        (("list", "hostonlynets"), 2, "", errors.NotUnderstood),
        (("createvm",), 1, "already exists", errors.AlreadyThere),
        (("modifyvm", "*", "--memory"), 1, "Invalid RAM size", errors.VBoxRefused),
    ],
)
def test_which_failure_is_which(words: tuple[str, ...], rc: int, text: str, kind: type[DriverError]) -> None:
    known = transcripts.first(*words, rc=rc, text=text)
    assert type(errors.failure(words[0], known.stderr, "dev")) is kind


def test_a_description_does_not_say_what_a_machine_does() -> None:
    told = 'name="dev"\nVMState="poweroff"\ndescription="two\nVMState="running"\nUUID="x""\n'
    assert parse.fields(told)["VMState"] == "poweroff"


@pytest.mark.parametrize("said", ["", "Capacity:", "Capacity:  \n", "Capacity: many MBytes", "Capacity: -5 MBytes"])
def test_a_disk_whose_size_is_not_told(said: str) -> None:
    vbox = VBox("VBoxManage", "dev", lambda *_, **__: Completed(0, said, ""))
    with pytest.raises(DriverError, match="does not tell the size"):
        vbox.capacity("/d.vdi")
