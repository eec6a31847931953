"""Blind spots and what takes points of the grade, in words: the same on the command line and on the pages."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from records.formats import SECOND, Clock, duration, exact, number, share_missed, size
from records.measures import difference
from records.nesting import iso
from records.wording import LANGUAGES, catalogue, say, say_or
from sensors.protocol import title_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from sensors.blindspots import Spot

LITTLE: Final = "little"  # the word for what is too little to tell
EXACT_S: Final = 600  # what lasts less is told to the second


def spot_words(spot: Spot, language: str, zone: tzinfo = UTC) -> tuple[str, str]:
    """(what is not seen, what to do about it), with times in this zone."""
    key, values = f"coverage.spot.{spot.key}.what", _values(spot, language)
    if key not in catalogue():
        key += ".one" if values["count"] == "1" else ".many"
    what = say(key, language, **values)
    if "since" in spot.values:
        clock, since, until = Clock(zone, language), spot.values["since"], spot.values["until"]
        moments = {name: f"{clock.day(time)} {clock.minute(time)}" for name, time in (("since", since), ("until", until))}
        what = say("coverage.half.during", language, what=what, **moments, zone=clock.offset(since))
    if "tshark" in spot.values:
        kind = "port" if str(spot.values.get("port", "")).startswith(("tcp/", "udp/")) else "other"
        what = say(f"coverage.named.{kind}", language, what=what, name=spot.values["tshark"])
    if servers := spot.values.get("servers"):
        more = say("coverage.half.more", language, count=number(spot.values["more"])) if spot.values["more"] else ""
        side = "requests" if spot.key.endswith("requests_only") else "answers"
        what = say(f"coverage.half.{side}", language, what=what, servers=say("coverage.half.between", language).join(servers) + more)
    return placed(spot.place, what, language), say(f"coverage.spot.{spot.key}.todo", language)


def told(spot: Spot, *, whole: bool = False) -> dict[str, Any]:
    """A spot for machines, with its words; `whole`: and with what its number is out of, for whoever has no other number beside it."""
    words = {language: dict(zip(("what", "todo"), spot_words(spot, language), strict=True)) for language in LANGUAGES}
    if whole:
        words = {language: each | {"what": _out_of(spot, each["what"], language)} for language, each in words.items()}
    values = {name: iso(value) if name in ("since", "until") else value for name, value in spot.values.items()}
    return {"spot": spot.key, "place": spot.place or None, "weight": round(spot.weight, 1), "values": values, **words}


def _out_of(spot: Spot, what: str, language: str) -> str:
    """What is not seen, and of how much."""
    words: dict[str, Callable[[int], str]] = {
        "of_bytes": lambda count: size(count, language),
        "of_seconds": lambda count: duration(count * SECOND, language),
        "of_packets": number,
        "of_talks": number,
    }
    for name, told in words.items():
        if name in spot.values:
            return say(f"coverage.{name}", language, what=what, whole=told(int(spot.values[name])))
    return what


def placed(place: str, text: str, language: str) -> str:
    """A text about an interface, where there are several."""
    return say("coverage.place", language, place=place, text=text) if place else text


def reason_words(reason: dict[str, Any], language: str) -> str:
    """What takes how many points; what takes any is never told to take none."""
    points = f"{reason['points']:.1f}" if reason["points"] >= 0.05 else "< 0.1"
    return say(f"coverage.reason.{reason['reason']}", language, points=points, size=size(reason["bytes"], language))


def clock_words(clock: dict[str, Any], language: str) -> str:
    """How far the capture's clock is from one on the wire."""
    count = int(clock["samples"])
    samples = say(
        f"coverage.clock.samples.{'one' if count == 1 else 'many'}", language, count=number(count), spread=difference(clock["spread"], language, up=True)
    )
    way = "ahead" if clock["ahead"] >= 0 else "behind"
    return say(f"coverage.clock.{way}", language, difference=difference(abs(clock["ahead"]), language), name=clock["name"], samples=samples)


def _values(spot: Spot, language: str) -> dict[str, str]:
    """The values of a spot as people read them."""
    given: dict[str, Any] = dict(spot.values)
    told = {name: number(value) for name, value in given.items() if name in ("count", "talks", "conversations", "packet", "offset")}
    told |= {name: str(given[name]) for name in ("name", "port", "file", "reason") if name in given}
    if "protocol" in given:
        told["protocol"] = title_of(given["protocol"])
    if "conversations" in given:
        told["count"] = told["conversations"]
    if "bytes" in given:
        told["size"] = size(given["bytes"], language)
        if given.get("about"):
            told["size"] = say("coverage.about", language, size=told["size"])
    if "left" in given:
        known = given["left"] is not None
        told["left"] = say(f"coverage.left.{'known' if known else 'unknown'}", language, size=size(given["left"] or 0, language))
    if "share" in given:
        told["share"] = share_missed(given["share"], language)
    if "gaps" in given:
        told["gaps"] = say(f"coverage.spot.lost.gaps.{'one' if given['gaps'] == 1 else 'many'}", language, count=number(given["gaps"]))
    if "seconds" in given:
        lasts = exact if given["seconds"] < EXACT_S else duration
        told |= {"difference": difference(given["seconds"], language), "duration": lasts(int(given["seconds"]) * SECOND, language)}
    if "guess" in given:
        told["guess"] = say_or(f"character.{given['guess'] or LITTLE}", language, str(given["guess"]))
    if given.get("period"):
        told["period"] = f"{given['period']:.3g}"
    if "cipher" in given:
        told["cipher"] = say_or(f"coverage.cipher.{given['cipher']}", language, str(given["cipher"]))
    return told | {name: _vlan(given[name], language) for name in ("requests", "answers") if name in given}


def _vlan(tag: int | None, language: str) -> str:
    return say("coverage.untagged", language) if tag is None else say("coverage.vlan", language, number=tag)
