"""What each detector that needs no learning is for, as rows of activities that state what differs from ordinary polling."""

from __future__ import annotations

from typing import Any, Final

Stated = list[dict[str, Any]]
ATTACKER, MASTER, DEVICE = "10.10.1.66", "10.10.1.10", "10.10.1.20"


def at(seconds: float, **more: Any) -> dict[str, Any]:
    """A row of the attacker so long after the full hour."""
    whole = int(seconds)
    clock = f"2026-03-02T{10 + whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{round(seconds % 1 * 1000):03d}Z"
    return {"@timestamp": clock, "source.ip": ATTACKER, "source.mac": "02:ba:1e:01:00:66", **{name.replace("__", "."): value for name, value in more.items()}}


def own(seconds: float, effect: str, **more: Any) -> dict[str, Any]:
    """A row of its own of the attacker with this effect."""
    return at(seconds, ot__effect=effect, ot__packet__first=round(seconds * 10) + 7, **more)


def rapid_scan() -> Stated:
    """Units tried faster than anybody answers."""
    quick: dict[str, Any] = {"event.outcome": "unknown", "ot.grouped": True, "ot.count": 6, "ot.interval.mean": 0.02}
    return [own(step, "interrogation", ot__unit=unit, event__end=f"2026-03-02T10:00:0{step + 1}Z") | quick for step, unit in enumerate((0, 1, 2))]


def slow_scan(pause: int = 600, units: int = 8, tries: int = 1) -> Stated:
    """One unit after the other, with pauses between them."""
    refused: dict[str, Any] = {"event.outcome": "failure", "ot.error": "gateway_target_failed", "ot.grouped": False, "ot.count": 1, "ot.interval.mean": None}
    rows = [(number * pause + again * 40, unit) for number, unit in enumerate(range(1, units + 1)) for again in range(tries)]
    return [at(seconds, ot__unit=unit, ot__object__first=None, event__end=at(seconds)["@timestamp"]) | refused for seconds, unit in sorted(rows)]


def function_scan(pause: float = 2.0, functions: int = 5) -> Stated:
    """One function after the other that the device does not know."""
    refused: dict[str, Any] = {"event.outcome": "failure", "ot.error": "illegal_function", "ot.access": "unknown", "ot.grouped": False, "ot.count": 1}
    return [
        own(number * pause, "unknown", ot__code=str(60 + number), event__end=at(number * pause)["@timestamp"], ot__object__first=None) | refused
        for number in range(functions)
    ]


def acts_unseeing() -> Stated:
    """Writes of one that reads nothing, while another one reads."""
    return [own(5, "value.write", ot__object__first=17, ot__value=12.5), at(60) | {"source.ip": MASTER}]


def acts_newcomer() -> Stated:
    """One that reads, then acts, on a device that another one has read for hours."""
    return [at(0) | {"source.ip": MASTER}, at(3 * 3600), own(3 * 3600 + 60, "output.operate", ot__object__first=3, ot__value=1.0)]


def takes_events() -> Stated:
    """Two that confirm the events of one outstation."""
    confirm: dict[str, Any] = {"network.protocol": "dnp3", "event.action": "confirm", "event.outcome": "unknown", "ot.effect": "data.exchange"}
    return [at(0) | confirm | {"source.ip": MASTER}, own(3 * 3600, "data.exchange") | confirm]


def repeated_request() -> Stated:
    """A clock that is set again and again."""
    return [own(number / 2, "time.write") for number in range(10)]


def restart_claimed() -> Stated:
    """A restart flag that is cleared again and again."""
    return [own(number * 5, "diagnostics.reset", network__protocol="dnp3", ot__object__space="internal_indications") for number in range(3)]


def reports_stay_off(enabled: int = 0) -> Stated:
    """Reports that are disabled; a later row shows how late it is."""
    spoken: dict[str, Any] = {"network.protocol": "dnp3", "event.outcome": "success"}
    switched = [own(0, "reporting.disable") | spoken, *(own(1, "reporting.enable") | spoken for _ in range(enabled))]
    return [*switched, at(62) | {"source.ip": MASTER}]


def engineering_session() -> Stated:
    """Stop, download, start."""
    steps = ("session.open", "identity.read", "cpu.stop", "program.download", "cpu.start")
    return [own(10.0 * number, effect, event__outcome="success", destination__ip="10.10.1.23") for number, effect in enumerate(steps)]


def request_altered() -> Stated:
    """One request with two values from two MAC addresses."""
    ports: dict[str, Any] = {"source.port": 49200, "ot.object.first": 17, "source.ip": MASTER}
    return [own(0, "setpoint.write", ot__value=40.0) | ports, own(0.004, "setpoint.write", ot__value=90.0) | ports | {"source.mac": "02:ba:1e:01:00:77"}]


def range_set() -> Stated:
    """A set point within its engineering range, then one beyond it."""
    listed: dict[str, Any] = {"ot.object.space": "holding_register", "ot.object.first": 18, "ot.tag.low": 0.0, "ot.tag.high": 50.0, "ot.tag.unit": "Hz"}
    return [own(minute * 60, "setpoint.write", ot__value=value) | listed for minute, value in enumerate((48.0, 90.0))]


def other_system(seconds: float = 0) -> Stated:
    """A message whose segments come from another system than their sender's."""
    return [own(seconds, "output.operate", ot__object__first=3, ot__value=1.0, ot__anomaly=["other_system"])]


def names_carry_data(length: int = 48) -> Stated:
    """Ever new long names of one domain."""
    asked: dict[str, Any] = {"network.protocol": "dns", "event.action": "dns_query", "ot.object.first": None, "ot.object.space": "host_name"}
    return [own(number, "data.exchange", ot__object__name=f"{number:0{length}x}.t.x1.cn") | asked for number in range(20)]


def registers_carry_data(writes: int = 10, reader: str = ATTACKER) -> Stated:
    """A block that one keeps filling and another one reads."""
    block: dict[str, Any] = {"ot.object.space": "holding_register", "ot.object.first": 800, "ot.object.last": 849, "event.outcome": "success"}
    return [*(own(number, "value.write") | block | {"source.ip": MASTER} for number in range(writes)), at(0) | block | {"source.ip": reader}]


def address_flood(senders: int = 65, outcome: str = "unknown") -> Stated:
    """Writes of ever new senders that nobody answers."""
    forged = [(f"11.0.{number >> 8}.{number & 255}", number) for number in range(senders)]
    return [own(number / 10, "value.write", event__outcome=outcome) | {"source.ip": source, "ot.packet.first": number + 1} for source, number in forged]


def arp_sweep(answered: int = 0, pause: float = 1, addresses: int = 13) -> Stated:
    """One address of the network after the other; so many of them answer."""
    asks, last = {"event.action": "arp_request", "destination.mac": "ff:ff:ff:ff:ff:ff"}, {"event.action": "arp_reply", "source.mac": "02:ba:1e:01:00:20"}
    rows = [(number, turn) for number in range(addresses) for turn in ((asks, last) if number < answered else (asks,))]
    spoken: dict[str, Any] = {"network.protocol": "arp", "ot.object.space": "ipv4_address", "ot.object.first": None, "source.ip": None, "destination.ip": None}
    asker = {"destination.mac": "02:ba:1e:01:00:66"}
    return [own(number * pause, "data.exchange", ot__object__name=f"10.10.1.{100 + number}") | spoken | asker | turn for number, turn in rows]


def even_talker(minutes: int = 5, deviation: float = 0.01) -> Stated:
    """A host that polls as evenly as a machine."""
    even: dict[str, Any] = {"event.outcome": "success", "ot.grouped": True, "ot.count": 30, "ot.interval.mean": 2.0, "ot.interval.deviation": deviation}
    return [at(60.0 * minute) | even for minute in range(minutes)]


def setpoint_outside(value: float = 400.0) -> Stated:
    """A set point that nobody would set, by the host that always sets it."""
    return [own(3600, "value.write", ot__object__space="holding_register", ot__object__first=17, ot__value=value) | {"source.ip": MASTER}]


def order_broken() -> Stated:
    """An output that is operated without what always comes before."""
    return [own(3600, "output.operate", ot__object__first=3, ot__value=1.0) | {"source.ip": MASTER}]


LEARNED: Final = {"even-talker": ("timing", even_talker), "setpoint-outside": ("value", setpoint_outside), "order-broken": ("sequence", order_broken)}
ATTACKS: Final = {
    "rapid-scan": ("scan", rapid_scan), "slow-scan": ("scan", slow_scan), "arp-sweep": ("sweep", arp_sweep), "acts-unseeing": ("masters", acts_unseeing),
    "acts-newcomer": ("masters", acts_newcomer), "takes-events": ("masters", takes_events), "repeated-request": ("conformance", repeated_request),
    "restart-claimed": ("conformance", restart_claimed),
    "reports-stay-off": ("conformance", reports_stay_off), "other-system": ("injection", other_system),
    "engineering-session": ("engineering", engineering_session),
    "request-altered": ("tamper", request_altered), "range-set": ("ranges", range_set),
    "address-flood": ("crowds", address_flood), "names-carry-data": ("volume", names_carry_data), "registers-carry-data": ("volume", registers_carry_data),
}  # fmt: skip
