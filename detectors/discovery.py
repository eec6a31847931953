"""Every detector of `detectors.methods`: one file each, found here, listed nowhere."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from detectors.criticality import Weighed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from detectors.detector import Detector
    from detectors.rulebook.load import Rulebook


@dataclass(frozen=True, slots=True)
class Setup:
    """What detectors are built with. `rules`: files and directories beside Balefire's own; `files`: the capture's name by observer; `criticality`: what
    devices matter to the plant, by address or network; `book`: what the loader made of the rules and Balefire's own, where it has.
    """

    rules: tuple[Path, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict[str, str])
    criticality: Mapping[str, str] = field(default_factory=dict[str, str])
    book: Rulebook | None = None


def detectors(setup: Setup | None = None) -> list[Detector]:
    """Every detector, newly built, in the order of their names. Each module has `build(setup) -> Detector`."""
    import detectors.methods as package

    chosen = setup or Setup()
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    builders = [cast("Callable[[Setup], Detector]", importlib.import_module(f"{package.__name__}.{name}").build) for name in names]
    built = [build(chosen) for build in builders]
    return [Weighed(detector, chosen.criticality) for detector in built] if chosen.criticality else built
