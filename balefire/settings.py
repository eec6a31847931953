"""What a user may set: one typed TOML file, overruled by the environment (`BALEFIRE_…`), overruled by the command line.

The file is `--settings` or `BALEFIRE_SETTINGS`, else `balefire.toml` in the working directory, else the one in the user's configuration directory.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import tomllib
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, cast

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from detectors.shifts import SHIFTS, checked
from records.errors import UsageError
from records.homes import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME: Final = "balefire.toml"
PREFIX: Final = "BALEFIRE_"
_CRITICALITY: Final = '"10.0.0.5" | "10.0.0.0/24" = "critical" | "high" | "normal" | "low"'


def _language(value: object) -> object:
    """A locale's name (`zh_CN.UTF-8`) stands for its language, as in the environment."""
    return value[:2].lower() if isinstance(value, str) else value


def _network(value: str) -> str:
    """An address or a network. Raises ValueError for anything else."""
    ipaddress.ip_network(value, strict=False)
    return value


def _host(value: str) -> str:
    """The name or address of a host, as a browser asks for it. Raises ValueError for anything else, wildcards too."""
    if not re.fullmatch(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]", value):
        raise ValueError(value)
    return value


def _address(value: str) -> str:
    """An address of this machine's, or all of them. Raises ValueError."""
    return str(ipaddress.ip_address(value))


def _zone(value: str) -> str:
    """The name of a time zone. Raises ValueError for one that there is not."""
    try:
        return zoneinfo.ZoneInfo(value).key
    except (OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(value) from None


def _quiet(value: str) -> str:
    """Two times of the day, or nothing. Raises ValueError."""
    if value and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(value)
    return value


def _regime(value: str) -> str:
    """A law whose duties are known. Raises ValueError: a slip of the pen would mean no duty at all."""
    if value not in _regimes():
        raise ValueError(value)
    return value


def _operator(value: str) -> str:
    """What kind of operator the plant's is. Raises ValueError: a slip of the pen would mean other duties."""
    if value not in _operators():
        raise ValueError(value)
    return value


def _operators() -> tuple[str, ...]:
    """The kinds that the duties tell apart; their files are read only where a setting is told."""
    from reports.dutybook import operators

    return operators()


def _regimes() -> list[str]:
    """The laws whose duties are known: the files of `reports/duties`, by name."""
    return sorted(file.stem for file in (Path(__file__).parents[1] / "reports" / "duties").glob("*.yml"))


class Oidc(BaseModel):
    """The plant's identity provider (OpenID Connect). `claim`: what of its answer is an account's name; `url`: the dashboard's address as browsers know it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(default="", pattern=r"^(https://\S+|http://(localhost|127\.0\.0\.1)(:\d+)?(/\S*)?|)$")
    client: str = ""
    secret_file: str = ""
    claim: str = "email"
    url: str = Field(default="", pattern=r"^(https?://\S+|)$")


class Dashboard(BaseModel):
    """How the dashboard is served."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(default=8501, ge=1, le=65535)
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = ()  # names to answer to beside localhost, of a proxy for one
    address: Annotated[str, AfterValidator(_address)] = "127.0.0.1"  # where it listens; wider than this machine only where one has to log in
    users: str = ""  # the file of accounts, instead of the one in the user's configuration directory


class Elasticsearch(BaseModel):
    """Who we are to an Elasticsearch, and how we know it. Secrets stand in files of their own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str = ""
    password_file: str = ""
    api_key_file: str = ""
    ca: str = ""
    fingerprint: str = ""


class Keep(BaseModel):
    """How much is kept of the packets of findings: at most so many MiB (0: none), and days where the alert is closed; MiB of a pipe's last octets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mebibytes: int = Field(default=1024, ge=0, le=1 << 30)
    days: int = Field(default=90, ge=1, le=36500)
    spool: int = Field(default=64, ge=1, le=1 << 20)


class Dissect(BaseModel):
    """What tshark may take to dissect a slice: seconds (0: it is not run on unknown traffic), MiB of memory."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: int = Field(default=5, ge=0, le=600)
    mebibytes: int = Field(default=1024, ge=512, le=1 << 20)


class Retain(BaseModel):
    """How long what is recorded stays: days after the end of its period, and after the last write to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(default=180, ge=1, le=36500)


class Housekeep(BaseModel):
    """Whether what runs for long keeps house in its store once a day, and from which hour of this machine's clock on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    daily: bool = True
    hour: int = Field(default=3, ge=0, le=23)


class Reports(BaseModel):
    """Reports: the zone of their calendar and of the dashboard's times, where they are kept, which are made by themselves, from which hour, in which forms."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: Annotated[str, AfterValidator(_zone)] = "UTC"
    directory: str = ""
    schedule: tuple[Literal["daily", "weekly", "monthly", "quarterly"], ...] = ()
    sites: dict[str, tuple[Literal["daily", "weekly", "monthly", "quarterly"], ...]] = Field(default_factory=dict)  # what is made of each site by itself
    hour: int = Field(default=6, ge=0, le=23)
    formats: tuple[Literal["html", "pdf", "xlsx", "json"], ...] = ("html", "pdf", "xlsx", "json")
    languages: tuple[Literal["en", "zh"], ...] = ()

    def stated_zone(self) -> str:
        """The zone, or nothing where none was set: then the dashboard shows times in its reader's."""
        return self.zone if "zone" in self.model_fields_set else ""


class Sign(BaseModel):
    """Where released reports are, what they are signed with, and which public keys are believed where they are verified."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: str = ""  # of the ledger, instead of the one in the user's data directory
    keys: str = ""  # the folder of private keys, instead of the one in the user's configuration directory
    passphrase_file: str = ""
    public: tuple[str, ...] = ()

    def ledger_place(self) -> Path:
        """Where the ledger is."""
        return expanded(self.folder).absolute() if self.folder else platformdirs.user_data_path("balefire") / "ledger"

    def keys_place(self) -> Path:
        """Where private keys are."""
        return expanded(self.keys).absolute() if self.keys else platformdirs.user_config_path("balefire") / "keys"


class Oblige(BaseModel):
    """Which laws count here (files of reports/duties), what this unit is to them, and what it is called in forms; who acts for which receiver of warnings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    regimes: tuple[Annotated[str, AfterValidator(_regime)], ...] = ("cn-incident", "cn-industry-data")
    operator: Annotated[str, AfterValidator(_operator)] = "other"
    unit: str = ""
    receivers: dict[str, tuple[str, ...]] = Field(default_factory=dict)


class Send(BaseModel):
    """How released reports leave: the file of ways (docs/delivery.md), and where it is kept what went."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str = ""
    folder: str = ""

    def post_place(self) -> Path:
        """Where deliveries are noted."""
        return expanded(self.folder).absolute() if self.folder else platformdirs.user_data_path("balefire") / "deliveries"


class Notify(BaseModel):
    """Whom alerts are told: a file of apprise's addresses, from which severity on, what is told at once at any hour, and how many messages an hour else."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    addresses: str = ""
    severity: int = Field(default=60, ge=0, le=100)
    urgent: int = Field(default=80, ge=0, le=100)
    hourly: int = Field(default=6, ge=1, le=1000)
    quiet: Annotated[str, AfterValidator(_quiet)] = ""  # "22:00-06:00"
    zone: Annotated[str, AfterValidator(_zone)] = "UTC"


class Settings(BaseSettings):
    """Every setting there is. A key that is not here is an error, so that a slip of the pen never goes unnoticed."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", env_ignore_empty=True, extra="forbid", frozen=True)

    store: str = ""
    language: Annotated[Literal["en", "zh"] | None, BeforeValidator(_language)] = None
    site: str | None = None
    observer: str | None = None
    rules: Path | None = None
    user: str | None = None
    shifts: Annotated[tuple[str, ...], AfterValidator(checked)] = SHIFTS  # when they begin, by the clock of `reports.zone`
    criticality: dict[Annotated[str, AfterValidator(_network)], Literal["critical", "high", "normal", "low"]] = Field(default_factory=dict)
    dashboard: Dashboard = Dashboard()
    oidc: Oidc = Oidc()
    elasticsearch: Elasticsearch = Elasticsearch()
    spool: str = ""
    evidence: Keep = Keep()
    retention: Retain = Retain()
    housekeeping: Housekeep = Housekeep()
    dissection: Dissect = Dissect()
    reports: Reports = Reports()
    ledger: Sign = Sign()
    duties: Oblige = Oblige()
    delivery: Send = Send()
    notification: Notify = Notify()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then what the file says (given as arguments); no `.env` and no secrets directory."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    def for_stores(self, told: Mapping[str, str]) -> dict[str, str]:
        """What stores are told by the environment, where it does not say so already: this process and the dashboard's read it there."""
        wanted = {f"{PREFIX}ELASTICSEARCH_{name.upper()}": str(value) for name, value in self.elasticsearch}
        wanted[f"{PREFIX}SPOOL"] = self.spool
        wanted[f"{PREFIX}DUTIES__UNIT"] = self.duties.unit
        return {name: value for name, value in wanted.items() if value and not told.get(name)}

    def users_file(self) -> Path:
        """Where accounts of the dashboard are: as set, else in the user's configuration directory."""
        return expanded(self.dashboard.users).absolute() if self.dashboard.users else platformdirs.user_config_path("balefire") / "accounts.json"

    def store_place(self) -> str:
        """Where the store is: as set, else a directory under the user's data directory."""
        return self.store or str(platformdirs.user_data_path("balefire") / "store")


def load(path: Path | None = None) -> Settings:
    """The settings in force. Raises UsageError naming file, key and remedy."""
    file = path or _found()
    values = _read(file) if file else {}
    try:
        return Settings(**values)
    except ValidationError as error:
        raise _explained(error, file, values) from None
    except ValueError as error:  # pydantic-settings: an environment variable that should hold JSON does not
        raise UsageError("settings.environment", problem=str(error)) from None


def _found() -> Path | None:
    if named := os.environ.get(PREFIX + "SETTINGS"):
        return Path(named)
    return next(filter(_is_there, (Path(NAME), platformdirs.user_config_path("balefire") / NAME)), None)


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError as error:  # where one may not look, settings may stand that are meant to count
        raise _unreadable(file, error) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError("settings.missing", file=file) from None
    except OSError as error:
        raise _unreadable(file, error) from None
    except UnicodeDecodeError as error:
        raise UsageError("settings.encoding", file=file, at=error.start) from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError("settings.syntax", file=file, problem=error) from None  # tomllib's message names line and column


def _unreadable(file: Path, error: OSError) -> UsageError:
    return UsageError("settings.unreadable", file=file, problem=error.strerror or "")


def _explained(error: ValidationError, file: Path | None, values: dict[str, Any]) -> UsageError:
    """The first problem in words: an unknown key with the nearest valid one, or a value of the wrong type."""
    problem = error.errors(include_url=False)[0]
    path = [part for part in problem["loc"] if isinstance(part, str)]  # without the place in a list
    where = str(file) if file and _given(values, path) else PREFIX + "__".join(path).upper()
    if problem["type"] == "extra_forbidden":
        known = list((_SECTIONS[path[0]] if path[:-1] else Settings).model_fields)
        near = difflib.get_close_matches(path[-1], known, 1, cutoff=0)
        return UsageError("settings.unknown", file=where, setting=".".join(path), nearest=".".join([*path[:-1], near[0] if near else known[0]]))
    key = ".".join(path[:2] if path[0] in _SECTIONS else path[:1])
    words = "such" if key in _EXAMPLES else "wrong"
    return UsageError(f"settings.{words}", file=where, setting=key, value=repr(problem["input"]), kind=_wanted(key))


def _given(values: dict[str, Any], path: list[str]) -> bool:
    """Whether the file (not the environment) holds this key."""
    if os.environ.get(PREFIX + "__".join(path).upper()):
        return False
    inner: object = values
    for part in path[:2]:
        if not isinstance(inner, dict):
            return True
        if part not in inner:
            return inner is not values
        inner = cast("dict[str, object]", inner)[part]
    return True


def _wanted(key: str) -> str:
    """What a key's value must be, in the notation of TOML."""
    if key == "duties.regimes":
        return f"[{' | '.join(json.dumps(each) for each in _regimes())}, …]"
    if key == "duties.operator":
        return " | ".join(json.dumps(each) for each in _operators())
    section, _, name = key.partition(".")
    if section in _SECTIONS and key not in _OWN_WORDS:
        return _span(_SECTIONS[section], name) if name else f"[{section}]"
    return _OWN_WORDS.get(key, '"…"')


def _span(section: type[BaseModel], name: str) -> str:
    """The numbers that a key of a section may be, or truth values; a text where no bounds are told."""
    if section.model_fields[name].annotation is bool:
        return "true | false"
    bounds = section.model_fields[name].metadata
    low, high = (next((getattr(bound, side) for bound in bounds if hasattr(bound, side)), None) for side in ("ge", "le"))
    return '"…"' if low is None else f"{low}–{high}"


_OWN_WORDS: Final = {
    "language": '"en" | "zh"', "dashboard.hosts": '["name", …]', "dashboard.address": '"127.0.0.1" | "0.0.0.0" | …', "criticality": _CRITICALITY,
    "shifts": '["06:00", "14:00", "22:00"]', "oidc.issuer": '"https://…"', "oidc.url": '"https://…"',
    "reports.zone": '"UTC" | "Asia/Shanghai" | …', "reports.schedule": '["daily" | "weekly" | "monthly" | "quarterly", …]',
    "reports.sites": '"North Harbour" = ["daily" | "weekly" | "monthly" | "quarterly", …]',
    "reports.formats": '["html" | "pdf" | "xlsx" | "json", …]', "reports.languages": '["en" | "zh", …]', "ledger.public": '["64 hex", …]',
    "duties.receivers": '"plant 2" = ["li.wei", …]', "notification.quiet": '"22:00-06:00"', "notification.zone": '"Asia/Shanghai"',
}  # fmt: skip
_EXAMPLES: Final = ("notification.quiet", "notification.zone")  # told by one value of many
_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "dashboard": Dashboard, "elasticsearch": Elasticsearch, "evidence": Keep, "retention": Retain, "housekeeping": Housekeep,
    "dissection": Dissect, "oidc": Oidc, "reports": Reports, "ledger": Sign, "duties": Oblige, "delivery": Send, "notification": Notify,
}  # fmt: skip
