"""Driver digitalocean: a droplet with its ssh key, its firewall, and what else was asked for."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from machine.drivers.base import Driver, DriverContext, Traits, preflight_errors
from machine.drivers.cloud import errors, ssh_key, user_data
from machine.drivers.cloud.adopt import create_or_find
from machine.drivers.digitalocean import removal, requests
from machine.drivers.digitalocean.client import Api, Json
from machine.drivers.digitalocean.config import Config, from_values
from machine.drivers.digitalocean.errors import ERRORS
from machine.drivers.digitalocean.options import NEW, OPTIONS
from machine.drivers.digitalocean.preflight import account_id, lookups, preflight
from machine.errors import InProgress
from machine.model import Endpoint, State, Verb
from machine.options import Values

APPEARING_SECONDS = 60.0  # a droplet may be unknown for a moment after it was made
STARTING_SECONDS = 60.0  # it is called off until a power_on is done
STATES = {"new": State.STARTING, "active": State.RUNNING, "off": State.STOPPED}


class DigitalOceanDriver(Driver):
    """A machine that is one droplet. `config` is its Driver object, typed."""

    traits: ClassVar[Traits] = Traits(
        name="digitalocean",
        options=OPTIONS,
        summary="a droplet",
        needs="--digitalocean-access-token",
        can_power=True,
        firewall="the cloud firewall",
    )

    def __init__(self, ctx: DriverContext, config: Config) -> None:
        super().__init__(ctx)
        self.config = config
        self.api = Api(config)
        self._host_key = ("", "")
        self._made_at: float | None = None  # when this process got the droplet's id
        self._started_at: float | None = None  # when this process asked for it to be switched on
        self._there = False  # this process has asked for the droplet, or found the one of an earlier try
        self._seen: dict[str, Any] | None = None  # the droplet, from a question that endpoint need not repeat

    @classmethod
    def configure(cls, ctx: DriverContext, values: Values) -> Self:
        return cls(ctx, from_values(values))

    @classmethod
    def load(cls, ctx: DriverContext, data: dict[str, Any]) -> Self:
        return cls(ctx, Config.from_record(data))

    def dump(self) -> dict[str, Any]:
        return self.config.to_record()

    def key_path(self) -> str | None:
        """The user's own key, "" for the agent's, None to have one made."""
        if self.config.ssh_key or self.config.ssh_key_fingerprint:
            return self.config.ssh_key
        return None

    def give_host_key(self, private: str, public: str) -> None:
        self._host_key = (private, public)

    def account_recorded(self) -> str:
        return self.config.account

    def account_asked(self) -> str:
        try:
            return account_id(self.api.account())
        except errors.NotAllowed:  # a token for certain things only
            return ""

    # before

    def check(self) -> None:
        with preflight_errors():
            if self.config.private_networking:
                self.ctx.log("--digitalocean-private-networking is ignored: every droplet has a private address")
            self._check_files()
            preflight(self.api, self.config, self.ctx.log, self.ctx.swarm_ports)

    def _check_files(self) -> None:
        self._user_data()
        ssh_key.check(
            self.config.ssh_key,
            "--digitalocean-ssh-key-path",
            sent=not self.config.ssh_key_fingerprint,
            otherwise="name the account's copy with --digitalocean-ssh-key-fingerprint",
        )

    def _user_data(self) -> str:
        """All that cloud-init is told; BadUserData when the user's file cannot be used."""
        return user_data.for_create(
            self.config.user_data_file, self._host_key, self.ctx.user_data, requests.USER_DATA, ERRORS
        )

    # create

    def create(self) -> None:
        """InProgress until the droplet runs if it is to have a reserved address."""
        if not self._there:
            self._ensure_droplet()
        self._ensure_address()

    def _ensure_droplet(self) -> None:
        if self.config.tag and self._adopt():
            return
        self.config.tag = requests.tag(self.ctx.machine_id)
        if self.config.attached_firewalls is None:
            lookups(self.api, self.config)
        self.ctx.save(self)
        self._ensure_key()
        self.api.make_tag(self.config.tag)
        self._ensure_firewall()
        self._ensure_volume()
        self._make_droplet()

    def _adopt(self) -> bool:
        """Whether an earlier try made the droplet already; it is ours then, and running."""
        droplet = self._droplet()
        if droplet is None:
            return False
        self._save_droplet(droplet)
        if droplet["status"] == "off":
            self.power(Verb.START)
        return True

    def _ensure_key(self) -> None:
        """The account knows the key that the machine lets in. One that was there before is not ours to remove."""
        if self.config.ssh_key_id:
            return
        if not self.ctx.public_key:
            raise ERRORS.error(errors.BadKey, "there is no public key to send to DigitalOcean")
        name = self.config.key_name = requests.own_name(self.ctx.name, self.ctx.machine_id)
        self.ctx.save(self)
        key = create_or_find(
            lambda: self.api.make_key(name, self.ctx.public_key), self._same_key, doubtful=(errors.NameTaken,)
        )
        if key.get("name") != name:
            self.config.key_name = ""
        self.config.ssh_key_id = int(key["id"])
        self.ctx.save(self)

    def _same_key(self) -> Json | None:
        wanted = self.ctx.public_key.split()[:2]
        return next((key for key in self.api.ssh_keys() if str(key.get("public_key")).split()[:2] == wanted), None)

    def _ensure_firewall(self) -> None:
        """Before the droplet is there, so that no port is ever open that shall not be."""
        for joined, tag in (self.config.attached_firewalls or {}).items():
            if not tag:
                self.api.join_firewall(joined, self.config.tag)
        if not self.config.has_own_firewall or self.config.firewall_id:
            return
        name = self.config.firewall_name = requests.own_name(self.ctx.name, self.ctx.machine_id)
        self.ctx.save(self)
        body = requests.firewall(self.config, self.ctx.swarm_ports)
        firewall = create_or_find(
            lambda: self.api.make_firewall(body),
            lambda: next((one for one in self.api.firewalls() if one.get("name") == name), None),
            doubtful=(errors.NameTaken,),
        )
        self.config.firewall_id = str(firewall["id"])
        self.ctx.save(self)

    def _ensure_volume(self) -> None:
        if not self.config.volume_size or self.config.own_volume_id:
            return
        name = self.config.own_volume_name = requests.own_name(self.ctx.name, self.ctx.machine_id)
        self.ctx.save(self)
        volume = create_or_find(
            lambda: self.api.make_volume(requests.volume(self.config, self.ctx.name)),
            lambda: next(iter(self.api.volumes(name=name, region=self.config.region)), None),
            doubtful=(errors.NameTaken,),
        )
        self.config.own_volume_id = str(volume["id"])
        self.ctx.save(self)

    def _make_droplet(self) -> None:
        """Ask for the droplet. DigitalOcean would make a second one for a repeated request, so after a doubtful
        answer its list is looked at first, and asked again only when the droplet is not in there."""
        body = requests.droplet(self.config, self.ctx.name, self._user_data())
        self.config.droplet_name = body["name"]
        self.ctx.save(self)
        droplet = create_or_find(
            lambda: self.api.make_droplet(body),
            lambda: next(iter(self.api.droplets(self.config.tag)), None),
            repeat=self.config.retry_seconds > 0,
        )
        self._made_at = self.ctx.clock.now()
        self._save_droplet(droplet)

    def _save_droplet(self, droplet: dict[str, Any]) -> None:
        self.config.droplet_id = int(droplet["id"])
        self._there = True
        self.ctx.save(self)

    def _ensure_address(self) -> None:
        """The reserved address, where one is wanted. It can only be asked for when the droplet runs."""
        if not self.config.reserved_ip or self.config.use_private_ip or self.config.reserved_address:
            return
        state = self.state()
        if state is State.RUNNING and (droplet := self._droplet()) is not None and self._reserve(droplet):
            return
        if state in (State.RUNNING, State.STARTING):
            raise InProgress(
                f"DigitalOcean is still making {self.ctx.name}", details="no reserved address leads to it yet"
            )

    # life

    def state(self) -> State:
        droplet = self._seen = self._droplet()
        if droplet is None:
            return State.STARTING if self._within(self._made_at, APPEARING_SECONDS) else State.MISSING
        found = STATES.get(str(droplet.get("status")), State.ERROR)
        if found is State.STOPPED and self._within(self._started_at, STARTING_SECONDS):
            return State.STARTING
        return found

    def _within(self, moment: float | None, seconds: float) -> bool:
        return moment is not None and self.ctx.clock.now() - moment < seconds

    def endpoint(self) -> Endpoint | None:
        droplet, self._seen = self._seen or self._droplet(), None
        if droplet is None:
            return None
        private = _address(droplet, "v4", "private")
        if self.config.use_private_ip:
            address = private
        elif self.config.reserved_ip:
            address = self.config.reserved_address
        else:
            address = _address(droplet, "v4", "public") or _address(droplet, "v6", "public")
        if not address:
            return None
        return Endpoint(
            address=address,
            ssh_user=self.config.ssh_user,
            ssh_port=self.config.ssh_port,
            engine_port=requests.ENGINE_PORT,
            peer_address=private,
            listen_port=requests.ENGINE_PORT,
        )

    def _reserve(self, droplet: dict[str, Any]) -> str:
        """Have the reserved address lead to a running droplet; it is returned once it does, "" until then.

        A new one is made together with its way to the droplet: it carries no tag, and would not be found again
        otherwise.
        """
        wanted = self.config.reserved_ip
        droplet_id = int(droplet["id"])
        leading = self._addresses_of(droplet_id)
        try:
            if wanted == NEW and not leading:
                leading = [str(self.api.make_reserved_ip(droplet_id)["ip"])]
            elif wanted not in (NEW, *leading):
                self.api.assign(wanted, droplet_id)
        except errors.WrongState:  # the droplet is still being made: at the next question
            return ""
        except errors.CloudError:
            if not (leading := self._addresses_of(droplet_id)):  # else done, and the answer was lost
                raise
        address = leading[0] if wanted == NEW else wanted
        if address not in leading:
            return ""
        self.config.reserved_address = address
        self.ctx.save(self)
        return address

    def _addresses_of(self, droplet_id: int) -> list[str]:
        return removal.addresses_of(self.api.reserved_ips(), {droplet_id})

    def power(self, verb: Verb) -> None:
        droplet = self._droplet()
        if droplet is None:
            raise errors.MachineGone(
                f"DigitalOcean has no droplet for {self.ctx.name} any more",
                resolution=f"machine rm {self.ctx.name} removes its record",
            )
        on, droplet_id = droplet.get("status") != "off", int(droplet["id"])
        self._started_at = None
        if verb in (Verb.START, Verb.RESTART) and not on:
            self.api.act(droplet_id, "power_on")
            self._started_at = self.ctx.clock.now()
        elif verb is Verb.STOP and on:
            self.api.act(droplet_id, "shutdown")
        elif verb is Verb.KILL and on:
            self.api.act(droplet_id, "power_off")
        elif verb is Verb.RESTART:
            self.api.act(droplet_id, "reboot")

    def explain(self) -> str:
        """Why it may not be reachable, as far as DigitalOcean can tell."""
        droplet = self._droplet()
        if droplet is None or droplet.get("status") != "active":
            return ""
        firewalls = self.api.firewalls_of(int(droplet["id"]))
        if not firewalls:
            return ""
        names = ", ".join(str(wall.get("name")) for wall in firewalls)
        port = self.config.ssh_port
        allowed = requests.sources(firewalls, port)
        if not allowed:
            return f"no rule of its firewalls ({names}) lets port {port} in"
        if "0.0.0.0/0" not in allowed:
            return f"its firewalls ({names}) let port {port} in only from {', '.join(allowed)}"
        return ""

    def remove(self) -> None:
        """The droplet and all that was made with it. InProgress while its volume is still attached."""
        self._there = False
        removal.remove(self.api, self.config, self.ctx)

    # questions

    def _droplet(self) -> dict[str, Any] | None:
        """By the recorded id; when that is missing or unknown, by tag."""
        droplet = self.api.droplet(self.config.droplet_id) if self.config.droplet_id else None
        if droplet is None and self.config.tag:
            droplet = next(iter(self.api.droplets(self.config.tag)), None)
        if droplet is None or droplet.get("status") == "archive":
            return None
        self._made_at = None  # it has appeared: from now on unknown means gone
        return droplet


def _address(droplet: dict[str, Any], family: str, kind: str) -> str:
    networks = (droplet.get("networks") or {}).get(family) or []
    return next((str(network["ip_address"]) for network in networks if network.get("type") == kind), "")
