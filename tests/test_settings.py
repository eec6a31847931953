"""Settings: one typed file, the environment above it, and errors that name file, key and remedy."""

from pathlib import Path

import pytest

from balefire.settings import load
from records.errors import UsageError


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SETTINGS", "STORE", "LANGUAGE", "SITE", "OBSERVER", "RULES", "DASHBOARD__PORT"):
        monkeypatch.delenv(f"BALEFIRE_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


def written(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, "utf-8")
    return place


def problem(text: str, place: Path) -> str:
    with pytest.raises(UsageError) as caught:
        load(written(place, text))
    assert caught.value.status == 2
    assert caught.value.text("zh")
    return str(caught.value)


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    settings = load()
    assert settings.language is None
    assert settings.dashboard.port == 8501
    assert settings.store_place() == str(tmp_path / "data" / "balefire" / "store")


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    written(tmp_path / "config" / "balefire" / "balefire.toml", 'site = "user"')
    assert load().site == "user"
    written(tmp_path / "balefire.toml", 'site = "here"')
    assert load().site == "here"
    assert load(written(tmp_path / "named.toml", 'site = "named"')).site == "named"


def test_a_file_named_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_SETTINGS", str(written(tmp_path / "far" / "b.toml", 'store = "s"')))
    assert load().store_place() == "s"


def test_the_environment_overrules_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path / "b.toml", 'language = "en"\nobserver = "tap-1"\n[dashboard]\nport = 9000\n')
    monkeypatch.setenv("BALEFIRE_LANGUAGE", "zh_CN.UTF-8")
    monkeypatch.setenv("BALEFIRE_DASHBOARD__PORT", "9001")
    settings = load(file)
    assert (settings.language, settings.observer, settings.dashboard.port) == ("zh", "tap-1", 9001)


def test_the_dashboard_is_told_of_a_zone_that_was_set_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is the calendar's: nobody said that the plant reads its clocks in UTC."""
    file = written(tmp_path / "b.toml", '[reports]\nzone = "UTC"\n')
    assert (load().reports.zone, load().reports.stated_zone(), load(file).reports.stated_zone()) == ("UTC", "", "UTC")
    monkeypatch.setenv("BALEFIRE_REPORTS__ZONE", "Asia/Shanghai")
    assert load(file).reports.stated_zone() == "Asia/Shanghai"


def test_shifts_are_in_the_order_of_the_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load().shifts == ("00:00", "08:00", "16:00")
    assert load(written(tmp_path / "b.toml", 'shifts = ["22:00", "06:00", "14:00"]')).shifts == ("06:00", "14:00", "22:00")
    monkeypatch.setenv("BALEFIRE_SHIFTS", '["07:00", "19:00"]')  # as the dashboard is told
    assert load(tmp_path / "b.toml").shifts == ("07:00", "19:00")


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    told = problem('langage = "zh"', tmp_path / "b.toml")
    assert str(tmp_path / "b.toml") in told
    assert "“langage”" in told
    assert "“language”" in told


def test_what_stores_are_told(tmp_path: Path) -> None:
    settings = load(written(tmp_path / "b.toml", 'spool = "/s"\n[elasticsearch]\nuser = "writer"\npassword_file = "/p"\nca = "/c"\n'))
    told = {"BALEFIRE_ELASTICSEARCH_USER": "writer", "BALEFIRE_ELASTICSEARCH_PASSWORD_FILE": "/p", "BALEFIRE_ELASTICSEARCH_CA": "/c", "BALEFIRE_SPOOL": "/s"}
    assert settings.for_stores({}) == told
    assert "BALEFIRE_ELASTICSEARCH_USER" not in settings.for_stores({"BALEFIRE_ELASTICSEARCH_USER": "of the environment"})
    assert "“elasticsearch.password_file”" in problem('[elasticsearch]\npassword = "secret"', tmp_path / "b.toml")


def test_an_unknown_key_of_a_table_names_the_nearest(tmp_path: Path) -> None:
    told = problem("[dashboard]\nprt = 1", tmp_path / "b.toml")
    assert "“dashboard.prt”" in told
    assert "“dashboard.port”" in told


@pytest.mark.parametrize(
    ("text", "key", "kind"),
    [
        ("store = 7", "store", '"…"'),
        ('language = "fr"', "language", '"en" | "zh"'),
        ('dashboard = "x"', "dashboard", "[dashboard]"),
        ('[dashboard]\nport = "web"', "dashboard.port", "1–65535"),
        ("[dashboard]\nport = 70000", "dashboard.port", "1–65535"),
        ("elasticsearch = 1", "elasticsearch", "[elasticsearch]"),
        ("[elasticsearch]\nuser = 1", "elasticsearch.user", '"…"'),
        ("site = []", "site", '"…"'),
        ('[dashboard]\nhosts = ["*"]', "dashboard.hosts", '["name", …]'),
        ('[dashboard]\nhosts = "one two"', "dashboard.hosts", '["name", …]'),
        ('shifts = ["6:00"]', "shifts", '["06:00", "14:00", "22:00"]'),
        ("shifts = []", "shifts", '["06:00", "14:00", "22:00"]'),
        ('shifts = "06:00"', "shifts", '["06:00", "14:00", "22:00"]'),
    ],
)
def test_a_value_of_the_wrong_type_is_named(tmp_path: Path, text: str, key: str, kind: str) -> None:
    told = problem(text, tmp_path / "b.toml")
    assert str(tmp_path / "b.toml") in told
    assert f"“{key}”" in told
    assert kind in told


@pytest.mark.parametrize("key", ["quiet", "zone"])
def test_a_value_of_many_is_told_by_an_example(tmp_path: Path, key: str) -> None:
    (file := tmp_path / "settings.toml").write_text(f'[notification]\n{key} = "25:00"\n', "utf-8")
    with pytest.raises(UsageError) as caught:
        load(file)
    assert "it must be such as" in caught.value.text("en")
    assert "应形如" in caught.value.text("zh")


def test_a_wrong_value_in_the_environment_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALEFIRE_LANGUAGE", "fr")
    with pytest.raises(UsageError, match="BALEFIRE_LANGUAGE"):
        load()


def test_bad_toml_names_line_and_column(tmp_path: Path) -> None:
    assert "line 2, column 9" in problem('site = "a"\nstore = \n', tmp_path / "b.toml")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load(tmp_path / "none.toml")


def test_a_directory_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path)


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "b.toml"
    file.write_bytes(b'site = "\xff"')
    with pytest.raises(UsageError, match="UTF-8"):
        load(file)


def test_what_devices_matter(tmp_path: Path) -> None:
    settings = load(written(tmp_path / "b.toml", '[criticality]\n"10.0.0.5" = "high"\n"10.1.0.0/16" = "low"\n'))
    assert settings.criticality == {"10.0.0.5": "high", "10.1.0.0/16": "low"}
    for wrong in ('"PLC-7" = "high"', '"10.0.0.5" = "grave"', '"10.0.0.5" = 7'):
        told = problem(f"[criticality]\n{wrong}\n", tmp_path / "b.toml")
        assert "“criticality”" in told
        assert '"10.0.0.0/24"' in told


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
def test_the_readme_s_settings_are_settings(tmp_path: Path, name: str) -> None:
    text = (Path(__file__).parents[1] / name).read_text("utf-8").split("```toml")[1].split("```")[0]
    settings = load(written(tmp_path / "b.toml", text))
    assert settings.user
    assert settings.criticality == {"10.20.1.11": "high"}
    assert (settings.dashboard.port, settings.dashboard.hosts) == (8501, ("monitor.plant",))


def test_a_regime_that_there_is_not_is_told_with_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "own.toml"
    told = problem('[duties]\nregimes = ["cn-incident", "nis3"]\n', file)
    known = sorted(each.stem for each in (Path(__file__).parents[1] / "reports" / "duties").glob("*.yml"))
    assert {"cn-incident", "nis2"} < set(known)
    for words in (str(file), "duties.regimes", "'nis3'", *known):
        assert words in told
    assert load(written(file, '[duties]\nregimes = ["nis2", "nerc-cip"]\n')).duties.regimes == ("nis2", "nerc-cip")
    monkeypatch.setenv("BALEFIRE_DUTIES__REGIMES", '["nis3"]')
    with pytest.raises(UsageError, match=r"BALEFIRE_DUTIES__REGIMES: .*'nis3'.*nis2"):
        load(file)
