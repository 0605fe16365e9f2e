"""Every recorded output is understood; what VirtualBox 7.2 prints, not what is remembered of it."""

from __future__ import annotations

import pytest

from machine.drivers.virtualbox import failures, parse
from tests.drivers.virtualbox import transcripts
from tests.drivers.virtualbox.fake import NET
from tests.drivers.virtualbox.transcripts import Transcript, every, first

FAILED = [each for each in every() if failures.MARK in each.stderr]


def test_how_many_were_recorded() -> None:
    assert len([each for each in every() if each.words]) > 230
    assert len(FAILED) > 60


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


@pytest.mark.parametrize(
    "each", [each for each in every() if "--machinereadable" in each.words and each.words[0] == "showvminfo"]
)
def test_every_machine(each: Transcript) -> None:
    info = parse.fields(each.stdout)
    if each.rc:
        assert info == {}
        return
    assert info["VMState"] == "poweroff"
    assert each.words[1] in (info["name"], info["UUID"])
    assert info["memory"].isdigit()
    assert len(info) > 100


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
    assert parse.lease("IP Address:  192.168.59.101\nMAC Address: 08:00\nState: acked\n") == "192.168.59.101"


@pytest.mark.parametrize("each", FAILED, ids=lambda each: " ".join(each.words[:3])[:60])
def test_every_failure_is_a_class_with_its_words_and_a_cure(each: Transcript) -> None:
    error = failures.failure(" ".join(each.words[:2]), each.stderr, "dev")
    assert error.resolution
    assert error.details
    assert "Usage" not in error.details
    assert "0%..." not in error.details
    assert len(error.details) < 1200


@pytest.mark.parametrize(
    ("words", "rc", "text", "kind"),
    [
        (("showvminfo",), 1, "named 'm1'", failures.NotRegistered),
        (("showvminfo",), 1, "with UUID", failures.NotRegistered),
        (("controlvm", "m1", "poweroff"), 1, "not currently", failures.NotRunning),
        (("hostonlyif", "create"), 1, "", failures.NoKernelDriver),
        (("hostonlyif", "ipconfig"), 1, "ACCESSDENIED", failures.AddressForbidden),
        (("storagectl",), 1, "already exists", failures.AlreadyThere),
        (("storageattach",), 1, "/nonexistent", failures.FileMissing),
        (("closemedium",), 1, "IN_USE", failures.InUse),
        (("startvm",), 1, "unexpectedly", failures.StartFailed),
        (("discardstate",), 0, "Cannot discard", failures.WrongState),
        (("modifyvm", "*", "--nosuchoption"), 1, "", failures.NotUnderstood),
        (("list", "hostonlynets"), 2, "", failures.NotUnderstood),
        (("createvm",), 1, "already exists", failures.AlreadyThere),
        (("modifyvm", "*", "--memory"), 1, "Invalid RAM size", failures.Refused),
    ],
)
def test_which_failure_is_which(words: tuple[str, ...], rc: int, text: str, kind: type[failures.DriverError]) -> None:
    known = transcripts.first(*words, rc=rc, text=text)
    assert type(failures.failure(words[0], known.stderr, "dev")) is kind
