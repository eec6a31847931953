"""The loop: source to batch of packets, messages, operations, activities. Every table is made once and bounded."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from records.effects import EFFECTS, UNKNOWN
from records.model import Batch
from sensors import calls
from sensors.coverage import CoverageLog, Ledger, ProtocolTotals, Totals, port_name
from sensors.engine import character, contexts, delivery, fragments, grouping, history, layers, link, mirrors, names, network, pairing, parts, sides
from sensors.engine import streams as streaming
from sensors.engine.framing import framing_tables
from sensors.engine.interpreted import rows
from sensors.engine.octets import INTERPRETED, plain
from sensors.engine.tables import (
    CLOCK,
    CONVERSATION,
    COPY,
    FLOW,
    FOREVER,
    HISTORY,
    HOST,
    LATENESS,
    MESSAGE,
    OPERATION,
    PACKET,
    PAIRS,
    SAMPLE,
    SECOND,
    SIGHTING,
    SLOT,
    STREAMS,
    WINDOW,
    index,
    table,
)  # fmt: skip
from sensors.origin import Origin
from sensors.protocol import protocols
from sensors.relay import Relay
from sensors.release import TRAITS, Handed, Release
from sensors.source import Tick
from sensors.unheard import Unheard

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable, Iterator

    from records.model import Asset
    from sensors.origin import Name
    from sensors.protocol import Protocol
    from sensors.source import Source
    from sensors.unknown import Unknown

SLOTS: Final = 1024
SLOTS_END: Final = SLOTS * delivery.SLOT_OCTETS
HISTORY_AT: Final = SLOTS_END + pairing.KEPT_OCTETS
FRAGMENTS_AT: Final = HISTORY_AT + history.OCTETS
CONTEXTS_AT: Final = FRAGMENTS_AT + fragments.OCTETS
NAMES_AT: Final = CONTEXTS_AT + contexts.OCTETS
ARENA: Final = NAMES_AT + names.OCTETS
BATCH: Final = 1 << 20
MOST_FLOWS: Final = 1 << 16
MOST_HOSTS: Final = 1 << 16
SIGHTINGS: Final = 1 << 14  # frames of redundant networks that are remembered
MOST_CONVERSATIONS: Final = 1 << 16
BACK: Final = 10 * SECOND  # a step back of a live clock that is more than what clocks differ by
MESSAGES: Final = 1 << 17  # more than the largest packet can hold
OPERATIONS: Final = 1 << 17  # rows that messages dissected at a time may come to; what none comes to takes no memory
SAMPLES: Final = 1 << 18


def _joins(protocol: Protocol) -> bool:
    """May a message of its come in parts, itself or that of a protocol over it?"""
    return protocol.joins or any(other.joins for other in protocols() if other.over and other.over[0] == protocol.name)


class Sensor:
    """One capture, or one set of live interfaces, through the engine. Feed it one source; read `totals` and `assets()` at the end.

    `capture` tells captures of one named observer apart (a digest of each): a window that two of them share is two rows, and nothing is lost. What leaves
    pairing is grouped and named in a thread of its own where that is `concurrent`; what comes of it is the same.
    """

    concurrent = not INTERPRETED

    def __init__(self, observer: Name, site: str | None = None, file: str = "", batch: int = BATCH, capture: Name = "") -> None:
        self._make_tables(batch)
        origin = Origin(observer, site, capture)
        self._coverage = CoverageLog(origin, file, self.ledger)
        self.release = Release(origin, self.hosts, self.conversations, self.names, self.arena)
        self._relay: Relay[Handed] = Relay(Handed, concurrent=self.concurrent)
        self._shed = 0
        self._told_time = False  # by the source, as a listener of ours does
        self._ticked = 0  # the latest time that it told
        self.unheard = Unheard()
        self.began: int | None = None  # what time it was, or that of a packet, when it first heard of any
        self._set_back = 0  # the minute in which what is open was told last, while it tells what was before; 0 where it does not

    def _make_tables(self, batch: int) -> None:
        self.arena = np.zeros(ARENA + batch, np.uint8)
        self.memory = plain(self.arena)
        self.packets, self.outer = table(batch // 76 + 16, PACKET), table(1, PACKET)
        self.datagrams, self.units, self.buffers, self.assembly = fragments.fragment_tables(FRAGMENTS_AT)
        self.sightings, self.copies = table(SIGHTINGS, SIGHTING), table(mirrors.COPIES, COPY)
        self.sightings.time = -1
        self.hosts, self.host_index, self.clock = table(MOST_HOSTS, HOST), index(MOST_HOSTS), table(1, CLOCK)
        self.flows, self.flow_index = table(MOST_FLOWS, FLOW), index(MOST_FLOWS)
        self.slots, self.streams = table(SLOTS, SLOT), table(1, STREAMS)
        self.slots.after = np.arange(1, SLOTS + 1)
        self.slots.after[-1] = -1
        self.streams.free_slots, self.streams.done_slot, self.streams.free_flow = SLOTS, -1, -1
        self.histories = table(history.HISTORIES, HISTORY)
        self.histories.flow = -1
        self.framings, self.known, self.ports = framing_tables(protocols())
        self.ledger = ledger = Ledger(self.streams, self.framings)
        self.undecoded, self.characters, self.bins = ledger.undecoded, ledger.characters, ledger.bins
        self.counters, self.aside, self.places = ledger.counters, ledger.aside, ledger.places
        self._make_layers()
        self.contexts, self.joints = contexts.context_tables(CONTEXTS_AT)
        self.names, self.name_index, self.name_counters = names.name_tables(NAMES_AT)
        self.conversation_index = index(MOST_CONVERSATIONS)
        self.most, self.most_samples = layers.room(protocols(), "operations_each"), layers.room(protocols(), "samples_each")
        rows = OPERATIONS + int(self.most.max(initial=1))
        self.operations, self.samples = table(rows, OPERATION), table(SAMPLES + int(self.most_samples.max(initial=1)), SAMPLE)
        self.messages = table(MESSAGES + rows, MESSAGE)  # those of streams, and behind them those that operations carry
        self.joins = np.array([_joins(protocol) for protocol in protocols()] or [0], np.int64)
        self.which, self.shares = np.zeros(len(self.messages), np.int64), np.zeros(max(len(protocols()), 1), np.int64)
        self.begins, self.numbers = np.zeros(len(self.messages), np.int64), np.zeros(len(self.messages), np.int64)
        self.above, self.order, self.waiting = np.zeros(rows, np.int64), np.zeros(rows, np.int64), np.zeros(2 * parts.DEEP, np.int64)
        (self.keys, self.effects, _), self.entries = pairing.code_table(), pairing.code_index()
        self.ring, self.asked, self.ring_index, self.kept = pairing.pairing_tables()
        self.bits, self.pairs = pairing.anomaly_bits(), table(1, PAIRS)
        self.scratch = table(1, MESSAGE_SCRATCH)
        self._messages_of = np.zeros(max(len(protocols()), 1), np.int64)
        self.clock.first, self.clock.free_host = FOREVER, -1

    def _bind(self) -> None:
        """The rows that the loop itself reads and sets, and the messages of streams."""
        self._of_streams = self.messages[:MESSAGES]
        self._packet = rows(self.packets)
        (self._streams,), (self._pairs,), (self._clock,), (self._joints,) = rows(self.streams), rows(self.pairs), rows(self.clock), rows(self.joints)
        self.release.bind()

    def _make_layers(self) -> None:
        """Protocols over others, each with conversations of its own behind those of streams."""
        self.layers, self.layer_framings, self.layer_known = layers.layer_tables(protocols())
        self.conversations = table(MOST_CONVERSATIONS * (1 + int(self.layers.rank.max(initial=0))), CONVERSATION)
        self.talks = self.conversations[:MOST_CONVERSATIONS]

    @property
    def totals(self) -> Totals:
        """What was seen and not seen so far."""
        totals = self._coverage.totals
        if self.clock[0].first != FOREVER:
            totals.first, totals.last = int(self.clock[0].first), int(self.clock[0].last)
        totals.messages, totals.operations = int(self._messages_of.sum()), int(self.release.by_effect.sum())
        for number, protocol in enumerate(protocols()):
            if self._messages_of[number]:
                totals.protocols[protocol.name] = ProtocolTotals(
                    int(self._messages_of[number]), int(self.release.by_protocol[number]), self._broken(protocol.name)
                )
        totals.access, totals.effects = {}, {}
        for effect, count in zip(EFFECTS, self.release.by_effect.tolist(), strict=True):
            if count:
                totals.effects[effect.name] = count
                totals.access[effect.access] = totals.access.get(effect.access, 0) + count
        return totals

    @property
    def now(self) -> int:
        """Up to when it has listened: the time of a packet, or that which passed without one."""
        return int(self.clock[0].now) or self._ticked

    @property
    def dark(self) -> int:
        """For how long (nanoseconds) nothing could come that no window tells of: the first begins with a packet."""
        return max(self.ledger.dark)

    @property
    def unknown(self) -> dict[str, Unknown]:
        """What was not understood so far, in the windows that are closed."""
        return self._coverage.totals.unknown

    def _broken(self, name: str) -> int:
        """Undecoded octets on the registered ports of a protocol."""
        protocol = next(protocol for protocol in protocols() if protocol.name == name)
        ports = [f"tcp/{port}" for port in protocol.tcp] + [f"udp/{port}" for port in protocol.udp]
        ports += [port_name(-1, kind) for kind in protocol.ethertypes]
        return sum(self._coverage.totals.undecoded.get(port, 0) for port in ports)

    def assets(self) -> tuple[Asset, ...]:
        """The ends of industrial conversations so far."""
        return self.release.inventory.assets(self.hosts)

    def listen(self, source: Source, due: Callable[[], bool] | None = None) -> Iterator[Batch]:
        """Everything the source has; the last batch holds all that was left. Where it is `due`, what is there comes sooner.

        A window's coverage comes with the last of its activities and points, or later: so it tells that all of the window is there.
        """
        self._bind()
        source.patient = False
        try:
            while self._batch(source):
                closed = FOREVER if self._set_back else self._clock.now - LATENESS
                everything = bool(due and due()) or self._coverage.urgent(closed)
                if everything or self.release.activities or self.release.points:
                    yield self._take(everything, closed)
            self._finish()
            yield self._take(True, FOREVER)
        finally:
            self._relay.close()

    def waits(self) -> bool:
        """Has a row left that nobody has got?"""
        self._relay.settle()
        return self.release.waits

    def decode(self, start: int, count: int) -> int:
        """The headers of packets[start:count]; returns the next packet where those before must be dissected first."""
        return link.decode(
            self.memory, start, count, self.packets, self.outer, self.hosts, self.host_index, self.clock,
            self.datagrams, self.units, self.buffers, self.assembly, self.sightings, self.ports,
        )  # fmt: skip

    def _batch(self, source: Source) -> bool:
        """The next packets of the source, what was dropped and how time passed between them; False at the end."""
        count, at = source.batch(self.arena, ARENA, self.packets), 0
        self.ledger.meet(source.interfaces)
        if self.began is None and (count or source.ticks):
            self.began = min([*(tick.time for tick in source.ticks), *self.packets.time[: min(count, 1)].tolist()])
        for said in sorted((*source.drops, *source.ticks), key=lambda said: said.before):
            before = max(said.before, at if self._clock.now else min(count, 1))  # a window begins with a packet
            self._packets(at, before)
            at = before
            if isinstance(said, Tick):
                self._told_time, self._streams.pressed = True, said.pressed
                self.ledger.darken(self.unheard.longer(said, int(self._clock.now)))
                self._pass_time(said.time)
            else:
                self.ledger.drop(said.interface, said.packets)
        self._packets(at, count)
        return bool(count or source.ticks)

    def _pass_time(self, now: int) -> None:
        """It is so late, and nothing more comes from before: what waited for that is over. A step that packets would not be believed is not followed."""
        clock, streams = self._clock, self._streams
        if now < self._ticked - BACK:
            self._tell_open(now // WINDOW)
            return
        self._ticked, self._set_back = max(self._ticked, now), 0
        if not 0 < clock.now < now <= clock.now + link.JUMP:
            return
        clock.now = now
        if now // WINDOW != streams.window:
            self._close_coverage()
            streams.window = now // WINDOW
        self._messages(now)

    def _tell_open(self, minute: int) -> None:
        """The clock of who listens was set back, and no window would end until it is so late again: what is open is told each minute, as parts of windows."""
        if minute == self._set_back or not self._clock.now:
            return
        self._set_back = minute
        self._release_all()
        self._relay.do(partial(self.release.close_points, int(self._clock.now) + WINDOW + LATENESS))
        self._close_coverage()
        self.flows.unknown_window[: int(self._streams.flows)] = -1  # what is not recognised is counted anew

    def _packets(self, at: int, count: int) -> None:
        while at < count:
            decoded = self.decode(at, count)
            mirrors.compare(self.memory, at, decoded, self.packets, self.copies)
            self._follow(at, decoded)
            at = decoded
            if at < count and self._clock.crowded and self._clock.now >= self._clock.patience:
                self._forget_hosts()

    def _follow(self, at: int, count: int) -> None:
        streams = self._streams
        while at < count:
            start = at
            window = self._packet[at].clock // WINDOW
            if window != streams.window:
                self._close_coverage()
                streams.window = window
            at, why = self._stream(at, count)
            self._characterise(start, at)
            self._messages(self._packet[max(at - 1, 0)].clock)
            if why == streaming.FULL_FLOWS:
                self._age_flows(self._packet[at].clock)
            elif why == streaming.FULL_CONVERSATIONS:
                self._forget_conversations()
            elif why == streaming.FULL_SLOTS:
                self._shed_slots()
            elif why == streaming.LATE:
                self._look_back()

    def _characterise(self, start: int, count: int) -> None:
        ledger = self.ledger
        character.characterise(
            self.memory, start, count, self.packets, int(self._streams.window), self.flows, self.characters, self.bins, self.places, self.hosts,
            ledger.references, ledger.differences,
        )  # fmt: skip

    def _stream(self, at: int, count: int) -> tuple[int, int]:
        return streaming.follow(
            self.memory, at, count, self.packets, self.flows, self.flow_index, self.slots, self.framings, self.known, self.ports,
            self._of_streams, self.talks, self.conversation_index, self.undecoded, self.streams, self.histories, HISTORY_AT,
            self.counters, self.aside, self.places,
        )  # fmt: skip

    def _messages(self, now: int) -> None:
        """Messages to operations to activities; then the slots are free again."""
        count, first = self._streams.messages, 0
        while first < count:
            last = self._choose(first, count, OPERATIONS, SAMPLES)
            self._part(first, last, now if last == count else 0)
            first = last
        if count == 0:
            self._pair(0, 0, now)
        if now:
            self._relay.do(partial(self.release.close_until, now))
        streaming.free_slots(self.slots, self.streams)

    def _choose(self, first: int, count: int, room: int, sample_room: int) -> int:
        """Messages from `first` up to here are dissected together: as many as there is room for."""
        held = self._joints.held
        return parts.choose(self.messages, first, count, self.most, self.most_samples, self.joins, held, room, sample_room, self.which, self.shares)

    def _part(self, first: int, last: int, now: int) -> None:
        self._joints.fill_at = self._joints.begin_at
        used, sampled = self._dissect(0, 0)
        filled, asked = MESSAGES, 0
        for _ in range(layers.PASSES if len(self.layers) else 0):
            before, filled = filled, self._lift(asked, used, filled)
            if filled == before:
                break
            self._choose(before, filled, FOREVER, FOREVER)
            asked = used
            used, sampled = self._dissect(used, sampled)
        self.above[asked:used] = -1
        count = self._arrange(first, last, filled, used)
        start, at = 0, self._annotate(0, count)
        while at < count:
            self._pair(start, at, 0)
            self._forget_names()
            start, at = at, self._annotate(at, count)
        self._pair(start, count, now)

    def _arrange(self, first: int, last: int, filled: int, used: int) -> int:
        """The order in which operations go on; returns how many do."""
        return parts.arrange(
            first, last, MESSAGES, filled, used, self.operations, self.above, self.begins, self.numbers, self.order, self.waiting
        )  # fmt: skip

    def _dissect(self, used: int, sampled: int) -> tuple[int, int]:
        """The chosen messages, those of each protocol at once; the new fill of both tables."""
        begin = 0
        for number, end in enumerate(self.shares.tolist()):
            if end > begin:
                used, sampled = protocols()[number].dissect(
                    self.memory, self.messages, self.which[begin:end], self.operations, used, self.samples, sampled, self.contexts, self.joints
                )
                self._messages_of[number] += end - begin
                begin = end
        return used, sampled

    def _annotate(self, start: int, count: int) -> int:
        """Returns the next operation where there is no room for its name."""
        done = pairing.annotate(
            self.memory, start, count, self.operations, self.order, self.messages, self.keys, self.entries, self.effects, UNKNOWN,
            TRAITS, self.flows, self.names, self.name_index, self.name_counters,
        )  # fmt: skip
        delivery.disown(
            start, done, self.operations, self.order, self.messages, self.conversations, UNKNOWN, self.undecoded, self.streams, self.counters, self.aside
        )
        return done

    def _lift(self, start: int, used: int, filled: int) -> int:
        """Messages inside messages: their operations will stand in the place of those that carried them."""
        return layers.hand_on(
            self.memory, start, used, self.operations, self.messages, filled, self.above, len(self.talks), self.conversations,
            self.layers, self.layer_framings, self.layer_known, self.scratch, self.joints,
        )  # fmt: skip

    def _pair(self, at: int, count: int, now: int) -> None:
        while at <= count:
            given, pairs = self._relay.free(), self._pairs
            at = pairing.pair(
                self.memory, SLOTS_END, at, count, now, self.operations, self.order, self.messages, self.samples,
                self.ring, self.asked, self.ring_index, self.kept, given.done, given.told, given.octets, self.pairs, self.bits,
            )  # fmt: skip
            given.count, given.samples, given.texts = pairs.done, pairs.samples, pairs.texts
            pairs.done = pairs.samples = pairs.octets = pairs.texts = 0
            self._hand(given)

    def _hand(self, given: Handed) -> None:
        if given.count == 0:
            self._relay.give_back(given)
            return

        def take_in() -> None:
            self._take_in(given)
            self._relay.give_back(given)

        self._relay.do(take_in)

    def _take_in(self, given: Handed) -> None:
        """Operations with their answers, each once."""
        self.release.take_in(given)

    def _close_coverage(self, ends: bool = False) -> None:
        """A window is over, or with `ends` the input is: then nothing is answered any more."""
        self._relay.settle()
        shed = int(self._pairs.shed + self.release.shed + self._joints.shed)
        self.streams[0].shed += shed - self._shed
        self._shed = shed
        flows = self.flows[: int(self.streams[0].flows)]
        until = FOREVER if ends else (int(self.streams[0].window) + 1) * WINDOW - sides.ANSWER
        told = calls.attempts(flows, self.hosts, until), calls.calls(flows, self.hosts, self.talks[: int(self.streams[0].conversations)])
        self._settle(np.arange(len(flows)), until)
        self._coverage.close_window(*told)
        self._streams.behind = self._streams.looked = 0

    def _look_back(self) -> None:
        """Packets are late. Where the clock was set back, that is told now: the next window may begin hours later."""
        streams = self._streams
        streams.looked = max(2 * streams.behind, link.BELIEVED) - 1
        if self._coverage.is_set_back():
            self._close_coverage()
            self.flows.unknown_window[: int(streams.flows)] = -1  # what is not recognised is counted anew

    def _settle(self, numbers: Any, until: int = FOREVER) -> None:
        """These flows are about to go, or their window is: what datagrams said after `until` may be answered yet."""
        window = int(self.streams[0].window)
        here = numbers[self.flows.unknown_window[numbers] == window]
        character.settle(here, window, self.flows, self.characters)
        ledger = self.ledger
        sides.settle_sides(
            numbers, until, self.flows, self.streams, self.counters, self.aside,
            ledger.vlans, ledger.sides, ledger.halves, ledger.repeats, ledger.groups, self.hosts,
        )  # fmt: skip

    def _finish(self) -> None:
        """The input ends: what waits is delivered, every window closes."""
        last = self.packets[0]  # what is delivered keeps the time and the number of its own packet
        last.clock = last.time = max(int(self.clock[0].now), 0)
        at = 0
        while at < self.streams[0].flows:
            at, _ = self._stream(at, streaming.ENDING)
            self._messages(int(last.clock))
            if self.streams[0].conversations + 2 >= len(self.talks):
                self._forget_conversations()
        self._end_waiting()
        self._relay.do(partial(self.release.close_until, FOREVER - 1))
        fragments.finish(self.datagrams, self.buffers, self.assembly, self.undecoded, self.streams)
        self._close_coverage(ends=True)

    def exercises(self) -> tuple[Callable[[], object], ...]:
        """Calls of every kernel on nothing, so that it compiles; each of them compiles others."""
        self._bind()
        none = np.zeros(0, np.int64)
        return (
            lambda: self._stream(0, 0),
            lambda: (self.decode(0, 0), fragments.finish(self.datagrams, self.buffers, self.assembly, self.undecoded, self.streams)),
            *self.release.exercises(),
            lambda: self._pair(0, 0, 0),
            lambda: self._annotate(0, 0),
            lambda: (mirrors.compare(self.memory, 0, 0, self.packets, self.copies), self._characterise(0, 0), self._settle(none)),
            lambda: (self._choose(0, 0, 0, 0), self._arrange(0, 0, MESSAGES, 0)),
            lambda: (self._lift(0, 0, 0), streaming.free_slots(self.slots, self.streams)),
            lambda: (self._relieve(none), self._forget(none, 0), self._free_hosts(none)),
        )

    def _take(self, everything: bool, closed: int) -> Batch:
        """What has been named; with `everything` also what only has left, and the coverage of windows that were over by then."""
        release = self.release
        if everything:
            self._relay.do(release.name)
            self._relay.settle()
        activities, told = _all_of(release.activities), _all_of(release.points)
        return Batch(
            activities=pa.concat_tables(activities or [release.naming.activities(release.rows[:0])]),
            points=pa.concat_tables(told or [release.naming.points(release.point_rows[:0])]),
            coverage=self._coverage.take(closed if everything else 0),
        )

    def _age_flows(self, now: int) -> None:
        """Make room: what is over goes first, then flows of no known protocol, then those that only look, last those on which somebody acts.

        Among equals those that were silent longest. `now` is the time of the packet that finds no room: the clock is further on, at the end of the batch.
        """
        flows, used = self.flows, np.flatnonzero(self.flows.used == 1)
        last, known = flows.last[used], flows.framing[used] >= 0
        over = (flows.ended[used] == 1) | (now - last >= streaming.IDLE)
        order = np.lexsort((last, np.where(over, 0, 1 + known + (known & (flows.acts[used] == 1)))))
        gone = np.sort(used[order[: max(len(used) // 4, 1)]])
        self._settle(gone)
        self._forget(gone, now)

    def _forget(self, gone: Any, now: int) -> None:
        streaming.forget(gone, now, self.flows, self.flow_index, self.slots, self.undecoded, self.streams, self.counters, self.aside)

    def _forget_hosts(self) -> None:
        """The table of hosts is full: those go that nothing refers to; where they are few, flows and conversations give way.

        Then assets: those that only looked first, those that acted last, of equals those that were silent longest. Each is counted as shed.
        """
        self._relay.do(self.release.name_points)
        self._relay.settle()
        gone, enough = self._unused_hosts(), max(len(self.hosts) // 8, 1)
        for make_room in (lambda: self._age_flows(self._clock.now), self._forget_conversations, lambda: self._forget_assets(enough)):
            if len(gone) < enough:
                make_room()
                gone = self._unused_hosts()
        self._relay.settle()
        self.release.inventory.settle()
        self.release.naming.forget(gone)
        self._free_hosts(gone)
        self._clock.crowded, self._clock.patience = 0, self._clock.now + (0 if len(gone) >= enough else WINDOW)

    def _forget_assets(self, count: int) -> None:
        """Those that nothing else holds."""
        inventory = self.release.inventory
        numbers = np.array(inventory.hosts, np.int64)
        numbers = numbers[~self._used_hosts()[numbers]]
        seen = np.array([inventory.last_seen(number) for number in numbers.tolist()], np.int64)
        order = np.lexsort((seen, self.hosts.role[numbers] & ~(grouping.ASKS | grouping.READS)))
        inventory.forget(numbers[order[:count]].tolist())
        self.streams[0].shed += min(count, len(numbers))

    def _free_hosts(self, gone: Any) -> None:
        network.forget_hosts(gone, self.hosts, self.host_index, self.clock)

    def _unused_hosts(self) -> Any:
        """Hosts that nothing holds, and that are no asset."""
        used = self._used_hosts()
        used[self.release.inventory.hosts] = True
        return np.flatnonzero(~used)

    def _used_hosts(self) -> Any:
        """[host] → has it a flow, a conversation, a value or a datagram in fragments?"""
        used = self.hosts.family == network.UNUSED
        flows, talks = self.flows, self.talks[: self._streams.conversations]
        live, open_ones = flows.used == 1, self.datagrams.state != 0
        of_datagrams = self.datagrams.source[open_ones], self.datagrams.target[open_ones]
        for numbers in (flows.source[live], flows.target[live], talks.source, talks.target, self.release.used_hosts(), *of_datagrams):
            used[numbers[numbers >= 0]] = True
        return used

    def _relieve(self, crowded: Any) -> None:
        """Give up what waits in these flows."""
        streaming.relieve(crowded, self.flows, self.slots, self.undecoded, self.streams, self.counters, self.aside)

    def _shed_slots(self) -> None:
        """Too many messages are begun and not ended: of lookers first, of actors last, of equals those that were silent longest."""
        flows = self.flows[: int(self.streams[0].flows)]
        crowded = np.flatnonzero((flows.used == 1) & ((flows.carry_length > 0) | (flows.waiting_count > 0)))
        first_ones = crowded[np.lexsort((flows.last[crowded], flows.acts[crowded]))]
        self._relieve(first_ones[: max(len(first_ones) // 4, 1)])

    def _end_waiting(self) -> None:
        """Requests leave without their answers. Of a listener it is known when it ended: whose answer was not due by then was not left unanswered."""
        if self._told_time:
            self._pair(0, 0, int(self._clock.now))
        self._pair(0, 0, pairing.ENDED if self._told_time else pairing.GIVEN_UP)

    def _release_all(self) -> None:
        """Whatever waits or is grouped leaves: numbers in it are about to change their meaning."""
        self._pair(0, 0, pairing.GIVEN_UP)
        self._relay.do(self.release.clear_groups)
        self._relay.settle()

    def _forget_names(self) -> None:
        """Too many names: everything that has one is released, then they are numbered anew."""
        self._release_all()
        self._relay.do(self.release.forget_named_points)
        self._relay.settle()
        self.asked.name = -1
        self.name_counters.names, self.name_counters.fill_at = 0, self.name_counters.place
        self.name_index[:] = -1

    def _forget_conversations(self) -> None:
        """Too many conversations: release and name everything that has one, then number them anew."""
        self._release_all()
        begun = np.flatnonzero((self.flows.used == 1) & (self.flows.carry_length > 0))  # their messages would have no conversation
        self._relieve(begun)
        self.streams[0].conversations = 0
        self.conversation_index[:] = -1
        self.flows.conversation[:] = -1


def _all_of(waiting: deque[pa.Table]) -> list[pa.Table]:
    """What waits, while more may come."""
    return [waiting.popleft() for _ in range(len(waiting))]


MESSAGE_SCRATCH: Final = np.dtype([("short", "u1")], align=True)
