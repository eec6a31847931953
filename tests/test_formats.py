"""How numbers, times, durations and objects are written, in both languages."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.reference import object_words
from records import formats
from records.schema import ACTIVITY
from tests.browser.waterworks import HOUR, MINUTE, NOW


@pytest.mark.parametrize(
    ("value", "en", "zh"),
    [
        (97.4, "97.4 %", "97.4%"),
        (99.98, "99.98 %", "99.98%"),
        (99.999, "99.99 %", "99.99%"),
        (97.49, "97.4 %", "97.4%"),
        (100.0, "100 %", "100%"),
        (0.0, "0 %", "0%"),
        (0.004, "< 0.01 %", "< 0.01%"),
    ],
)
def test_coverage_is_cut_never_rounded_up(value: float, en: str, zh: str) -> None:
    assert (formats.share_seen(value, "en"), formats.share_seen(value, "zh")) == (en, zh)


def test_what_is_missing_is_never_less_than_it_is() -> None:
    assert [formats.share_missed(value, "en") for value in (0.001, 0.02, 2.51, 100.0)] == ["0.01 %", "0.02 %", "2.6 %", "100 %"]


def test_numbers_sizes_and_durations() -> None:
    assert [formats.number(value) for value in (48210, -3, 24.5)] == ["48,210", "−3", "24.5"]
    assert [formats.size(value, "en") for value in (512, 1_403, 13_080_000)] == ["512 B", "1.4 kB", "13.1 MB"]
    assert [formats.bits(value) for value in (640, 12_000, 41_200_000, 3e12)] == ["640 b/s", "12.0 kb/s", "41.2 Mb/s", "3,000.0 Gb/s"]
    lengths = (0, 40 * 10**9, 26 * MINUTE, 111 * MINUTE, 76 * HOUR)
    assert [formats.duration(length, "en") for length in lengths] == ["0 s", "40 s", "26 min", "1 h 51 min", "3 d 4 h"]
    assert formats.duration(111 * MINUTE, "zh") == "1 小时 51 分钟"


def test_times_in_both_languages() -> None:
    english, chinese = formats.Clock(ZoneInfo("Asia/Shanghai"), "en"), formats.Clock(ZoneInfo("Asia/Shanghai"), "zh")
    assert english.moment(NOW) == "22 Nov 2026, 03:12 (UTC+8)"
    assert chinese.moment(NOW) == "2026-11-22 03:12（UTC+8）"
    assert english.instant(NOW) == "22 Nov 2026, 03:12:00 (UTC+8)"
    assert chinese.instant(NOW) == "2026-11-22 03:12:00（UTC+8）"
    assert english.micro(NOW + 113_999) == "03:12:00.000 113"
    assert formats.Clock(ZoneInfo("Asia/Kolkata"), "en").offset(NOW) == "UTC+5:30"
    assert formats.zone_named("Not/AZone") is UTC
    assert [formats.Clock(UTC, "en", year).short_day(NOW) for year in (2026, 2027)] == ["21 Nov", "21 Nov 2026"]


def test_objects_have_the_reference_notation_where_there_is_one() -> None:
    row: dict[str, Any] = dict.fromkeys(ACTIVITY.names)
    modbus = {**row, "network.protocol": "modbus", "ot.object.space": "holding_register", "ot.object.first": 39, "ot.object.last": 42, "ot.unit": 1}
    assert object_words(modbus, "en") == "holding register 39–42 (40040–40043), unit 1"
    assert object_words({**modbus, "ot.object.space": "coil", "ot.object.last": 39, "ot.unit": None}, "zh") == "线圈 39 (00040)"
    assert object_words({**row, "ot.object.name": "DB1.DBX0"}, "en") == "DB1.DBX0"
    inside = {"network.protocol": "cip", "ot.object.space": "object", "ot.object.first": (109 << 36) + (7 << 16), "ot.object.last": None}
    assert object_words({**row, **inside, "ot.object.name": "program 5/routine 7", "ot.unit": None}, "en") == "program 5/routine 7"
