"""Attacks on the plant, each with its label. One public function of a module here is one attack: an actor that acts in a scene and says what it did."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any, Final

from tests.plant.works.attacks.scene import Scene
from tests.plant.works.world import MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.plant.works.plant import Plant
    from tests.plant.works.world import Actor, World


def _found() -> dict[str, Any]:
    attacks: dict[str, Any] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        attacks |= {
            name: attack for name, attack in inspect.getmembers(module, inspect.isgeneratorfunction) if attack.__module__ == module.__name__ and name[0] != "_"
        }
    return dict(sorted(attacks.items()))


def able(plant: Plant, attack: Any) -> list[Any]:
    """The devices on which an attack can be made."""
    does, protocol = getattr(attack, "needs", ()), getattr(attack, "protocol", "")
    return [device for device in plant.devices if (not protocol or protocol == device.PROTOCOL) and all(hasattr(plant.speaks(device), name) for name in does)]


def _act(scene: Scene) -> Actor:
    """The attack, from now on."""
    scene.begin()
    yield from ATTACKS[scene.name](scene)


def start(world: World, plant: Plant, names: Sequence[str]) -> list[str]:
    """Attack, one after another, each at its own time and from where the seed says. Returns what cannot be made on this plant."""
    random = world.chance("attacks")
    wanted = [name for name in random.sample(list(names), len(names)) if able(plant, ATTACKS[name])]
    span = world.end - world.start
    first, last = min(20 * MINUTE, span // 6), min(45 * MINUTE, span // 3)  # the slow ones end before the capture does
    each = (span - first - last) // max(len(wanted), 1)
    foreign = plant.host("unknown", "attacker")
    for number, name in enumerate(wanted):
        at = world.start + first + number * each + random.randrange(max(each // 3, 1))
        scene = Scene(world, plant, random, foreign, random.choice(able(plant, ATTACKS[name])), name)
        world.enter(_act(scene), at)
    return sorted(set(names) - set(wanted))


ATTACKS: Final = _found()
