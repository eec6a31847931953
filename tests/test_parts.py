"""What is dissected together, and the order in which operations go on, beside the same said slowly."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from sensors.engine import parts
from sensors.engine.dissecting import LEAST_ROWS, OPERATION_OCTETS
from sensors.engine.tables import FOREVER, MESSAGE, OPERATION, table

BASE = 64  # where messages begin that operations carry


def chosen(protocols: list[int], lengths: list[int], most: list[int], joins: list[int], held: int, room: int) -> tuple[int, list[list[int]]]:
    """How far messages find room, and their numbers by protocol."""
    messages = table(len(protocols), MESSAGE)
    messages.protocol, messages.length = protocols, lengths
    which, ends = np.full(len(protocols), -1, np.int64), np.zeros(len(most), np.int64)
    bounds = np.array(most, np.int64)
    last = parts.choose(messages, 0, len(protocols), bounds, bounds, np.array(joins, np.int64), held, room, FOREVER, which, ends)
    return last, [part.tolist() for part in np.split(which[: ends[-1]], ends[:-1])]


def test_messages_of_each_protocol_stand_together_in_their_order() -> None:
    dice = random.Random(1)
    protocols = [dice.randrange(4) for _ in range(500)]
    last, numbers = chosen(protocols, [100] * 500, [1, 2, 3, 4], [0] * 4, 0, FOREVER)
    assert last == 500
    assert numbers == [[i for i, protocol in enumerate(protocols) if protocol == number] for number in range(4)]


@pytest.mark.parametrize("length", [8, 300])
@pytest.mark.parametrize("joins", [0, 1])
def test_no_more_than_there_is_room_for(length: int, joins: int) -> None:
    each = LEAST_ROWS + length // OPERATION_OCTETS if joins else min(LEAST_ROWS + length // OPERATION_OCTETS, 64)
    last, _ = chosen([0] * 100, [length] * 100, [64], [joins], 0, 10 * each + 1)
    assert last == 10


def test_what_waits_takes_room_and_the_first_message_is_always_taken() -> None:
    assert chosen([0] * 10, [8] * 10, [1], [0], 2 * OPERATION_OCTETS, 6)[0] == 4
    assert chosen([0] * 10, [8] * 10, [64], [0], 0, 1)[0] == 1


def arranged(of: list[int], above: list[int], roots: int, filled: int) -> list[int]:
    """The order of operations that are of these messages and carry those."""
    operations = table(max(len(of), 1), OPERATION)
    operations.message[: len(of)] = of
    begins, numbers = np.full(filled + 1, -1, np.int64), np.full(filled + 1, 99, np.int64)
    order = np.full(len(of) + 1, -1, np.int64)
    carried = np.array([*above, -1], np.int64)
    count = parts.arrange(0, roots, BASE, filled, len(of), operations, carried, begins, numbers, order, np.zeros(2 * parts.DEEP, np.int64))
    return order[:count].tolist()


def slowly(of: list[int], above: list[int], roots: int) -> list[int]:
    """The same, told as it is meant."""

    def of_message(message: int) -> list[int]:
        return [row for number, other in enumerate(of) if other == message for row in (of_message(above[number]) if above[number] >= 0 else []) or [number]]

    return [row for message in range(roots) for row in of_message(message)]


def made(dice: random.Random) -> tuple[list[int], list[int], int, int]:
    """Operations by protocol, some of which carry messages, whose operations carry others."""
    roots = dice.randrange(1, 20)
    of: list[int] = []
    for kind in range(3):  # each protocol has some of the messages, in their order
        of += [message for message in range(roots) if message % 3 == kind for _ in range(dice.randrange(3))]
    above: list[int] = []
    filled, start = BASE, 0
    for _ in range(3):
        upper: list[int] = []
        for _ in of[start:]:
            carries = dice.random() < 0.4
            above.append(filled if carries else -1)
            upper += [filled] * dice.randrange(3) if carries else []
            filled += carries
        start = len(of)
        of += upper
    above += [-1] * (len(of) - len(above))
    return of, above, roots, filled


@pytest.mark.parametrize("seed", range(50))
def test_operations_of_a_payload_stand_where_it_was_carried(seed: int) -> None:
    of, above, roots, filled = made(random.Random(seed))
    assert arranged(of, above, roots, filled) == slowly(of, above, roots)


def test_nothing_is_no_operation() -> None:
    nothing: Any = []
    assert arranged(nothing, nothing, 0, BASE) == []
