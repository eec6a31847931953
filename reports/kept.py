"""Where reports are kept: a folder a report, with its document and the forms that were printed. A document names itself by its content, so that one that
was changed since shows.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import platformdirs

from records.errors import StoreError, UsageError
from records.homes import expanded
from records.nesting import iso
from records.regular import opened
from records.wording import LANGUAGES
from reports import canonical
from reports.printing import FORMATS, MissingError, rendered
from reports.summary import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reports.periods import Period

Row = dict[str, Any]
NAME: Final = re.compile(r"(?:daily|weekly|monthly|quarterly)-\d{4}-\d\d-\d\d-[0-9a-f]{12}")
MOST: Final = 2_000  # reports that a list looks at, the newest by name
LARGEST: Final = 16 << 20
HEAD: Final = ("id", "period", "site", "zone", "since", "until", "since_local", "until_local", "whole", "kept_from", "recorded")


def place(store: str, directory: str = "") -> Path:
    """The folder of a store's reports: as set, else inside an embedded store, or for one that is elsewhere in the user's data directory."""
    if directory:
        return expanded(directory).absolute()
    if "://" in store:
        return platformdirs.user_data_path("balefire") / "reports" / re.sub(r"[^A-Za-z0-9.-]+", "-", store.split("://", 1)[1].rsplit("@", 1)[-1]).strip("-.")
    return expanded(store).absolute() / "reports"


@dataclass(frozen=True, slots=True)
class Kept:
    """The folder of the reports of one store."""

    folder: Path

    def keep(self, told: Mapping[str, Any]) -> Path:
        """Keep a document; the same one is kept once. Raises StoreError."""
        return write(self.folder / str(told["id"]), f"{told['id']}.json", canonical.written(dict(told)))

    def find(self, prefix: str) -> Row:
        """The document of this identity, or of the one that begins so. Raises UnknownError, StoreError where it was changed."""
        names = self._names(prefix)
        if len(names) != 1 and prefix not in names:
            raise UnknownError("report.unknown" if not names else "report.several", id=prefix)
        return self._read(prefix if prefix in names else names[0])

    def heads(self) -> list[Row]:
        """What a list tells of each report, of the newest so many, the newest period first and of one period what was `made` last; one that was changed or
        cannot be read says so in `problem`.
        """
        found: list[Row] = []
        for name in self._names()[:MOST]:
            try:
                told = self._read(name)
            except StoreError as error:
                unknown = {"id": name, "period": name.split("-")[0], "until": "", "made": None, "decisions": None, "index": None, "level": None}
                found.append(dict.fromkeys(HEAD) | unknown | {"problem": error})
                continue
            index: Row = told["index"] or {}
            made = iso((self.folder / name / f"{name}.json").stat().st_mtime_ns)
            known = {name: told["made_from"][name] for name in ("newest", "decisions")}
            found.append(
                {field: told.get(field) for field in HEAD} | {**known, "made": made, "index": index.get("value"), "level": index.get("level"), "problem": None}
            )
        return sorted(found, key=lambda row: (row["until"], row["since"] or "", row["made"] or "", row["id"]), reverse=True)

    def left_out(self) -> int:
        """How many reports such a list leaves out."""
        return max(0, len(self._names()) - MOST)

    def of(self, period: Period, site: str | None) -> Row | None:
        """The report that was made of a period, of a site or of all, while the store held all of it: of several the last, one that knew of records first."""
        found: list[Row] = []
        for name in self._names(f"{period.kind}-{period.first}-"):
            with contextlib.suppress(StoreError):  # one that was changed counts for nothing; the list of reports says so
                found.append(self._read(name))
        about = {"since": iso(period.since), "until": iso(period.until), "site": site}
        fitting = [told for told in found if "kept_from" not in told and all(told[field] == value for field, value in about.items())]
        return max(fitting, key=lambda told: (told["recorded"], told["made_from"]["newest"], told["made_from"]["decisions"], told["id"]), default=None)

    def spoiled(self, period: Period) -> list[str]:
        """The reports of such a period, of whatever site, that cannot be read any more or were changed: an emptied folder is one."""
        found: list[str] = []
        for name in self._names(f"{period.kind}-{period.first}-"):
            try:
                self._read(name)
            except StoreError:
                found.append(name)
        return found

    def files(self, name: str) -> list[Path]:
        """The files of a report."""
        folder = self.folder / name
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")) if NAME.fullmatch(name) and folder.is_dir() else []

    def anew(self, told: Mapping[str, Any], into: Path) -> list[Path]:
        """The forms that lie beside a document, printed anew from it into another folder: what may be released. Raises StoreError for a file beside it that is
        no form of it or says anything else, MissingError for a form that cannot be printed here and so not compared.
        """
        name = str(told["id"])
        forms = {f"{name}.{language}.{form}": (form, language) for form in FORMATS if form != "json" for language in LANGUAGES}
        files = [file for file in self.files(name) if file.name != f"{name}.json"]
        if strange := next((file for file in files if file.name not in forms), None):
            raise StoreError("report.strange", file=strange, id=name)
        made: list[Path] = []
        for file in files:
            form, language = forms[file.name]
            (copy,) = write_forms(told, into, (form,), (language,))
            if copy.read_bytes() != file.read_bytes():
                raise StoreError("report.differs", file=file, id=name, form=form, spoken=language)
            made.append(copy)
        return made

    def _names(self, start: str = "") -> list[str]:
        try:
            with os.scandir(self.folder) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(start) and NAME.fullmatch(entry.name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError("report.folder", folder=self.folder, problem=error.strerror or error) from error
        return sorted(names, key=lambda name: (name.split("-", 1)[1], name), reverse=True)

    def _read(self, name: str) -> Row:
        file = self.folder / name / f"{name}.json"
        try:
            about = file.stat()
            return _document(str(file), name, about.st_mtime_ns, about.st_size)
        except OSError as error:
            raise StoreError("report.folder", folder=file, problem=error.strerror or error) from error


class UnknownError(UsageError):
    """There is no such report, or several: a negative result."""

    status = 1


@lru_cache(256)
def _document(file: str, name: str, _changed: int, size: int) -> Row:
    """A document that is what its name says. Raises StoreError."""
    try:
        if size > LARGEST:
            raise ValueError("too large")
        with opened(Path(file)) as there:
            told = cast("Row", json.loads(there.read(LARGEST + 1)))
        if identity(told) == name == told["id"]:
            return told
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError("report.changed", file=file) from error
    raise StoreError("report.changed", file=file)


def write_forms(
    told: Mapping[str, Any], folder: Path, forms: Iterable[str], languages: Iterable[str], missing: Callable[[MissingError], None] | None = None
) -> list[Path]:
    """Print a document in these forms and languages; the files, JSON once. `missing` is told what cannot be printed here, and the rest is. Raises StoreError
    and, without `missing`, MissingError.
    """
    made: list[Path] = []
    for form in forms:
        try:
            for language in ("",) if form == "json" else tuple(languages):
                name = ".".join(filter(None, (str(told["id"]), language, form)))
                made.append(write(folder, name, rendered(told, form, language)))
        except MissingError as error:
            if missing is None:
                raise
            missing(error)
    return made


def write(folder: Path, name: str, content: bytes) -> Path:
    """Put a file into a folder, which is made, so that it is there whole or not at all. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(part).chmod(0o644)
            Path(part).replace(folder / name)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StoreError("report.write", file=folder / name, problem=error.strerror or error) from error
    return folder / name
