"""The ledger of released reports: what stands in it, whose it is, and that any change of it shows."""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from balefire.cli import main
from records.errors import BalefireError, InputError, StoreError, UsageError
from reports import canonical, keys
from reports.channel import LaterError, Parcel
from reports.channels import folder as into_folder
from reports.kept import Kept
from reports.keys import Key, read_public
from reports.ledger import Ledger, Receipt
from reports.summary import identity
from reports.verifying import Verdict, verify
from tests.golden.week import FILES

if TYPE_CHECKING:
    from collections.abc import Generator

ROOT = Path(__file__).parent.parent
WORDS = "a passphrase of the tests"
WHEN = "2026-11-28T06:00:00.000000000Z"
STRIDE = 251  # octets of a long report of which one is flipped: a hundred tries, in a second
DOCUMENT = {"title": "周报", "index": 71.5, "alerts": {"high": 2, "low": 0}, "note": None, "parts": ["α", "β", True]}


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "COST", 1 << 14)


def made(ledger: Ledger, folder: Path) -> Key:
    key = keys.make(folder, WORDS)
    ledger.release(key, {"action": "make", "key": key.public}, (), by="ada", time=WHEN, kind="key")
    return key


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger")


@pytest.fixture
def key(ledger: Ledger, tmp_path: Path) -> Key:
    return made(ledger, tmp_path / "keys")


def release(ledger: Ledger, key: Key, files: tuple[Path, ...] = (), **document: Any) -> Receipt:
    return ledger.release(key, {**DOCUMENT, **document}, files, by="ada", time=WHEN).receipt


def pdf(tmp_path: Path, name: str = "周报 week.pdf") -> Path:
    file = tmp_path / name
    file.write_bytes(b"%PDF-1.7 of a week")
    return file


def found(path: Path, *trusted: Key, receipts: tuple[Receipt, ...] = (), some: bool = False) -> Verdict:
    return verify(path, [each.public for each in trusted], receipts, some=some)


def wrong(path: Path, *trusted: Key, receipts: tuple[Receipt, ...] = (), some: bool = False) -> tuple[str | None, str | None]:
    verdict = found(path, *trusted, receipts=receipts, some=some)
    return verdict.problem, verdict.at


# canonical JSON


def test_what_is_written_is_read_again_and_is_the_standards_form() -> None:
    assert canonical.written({"b": 1.0, "a": [-1e-9, 1e-7, "é\n", None]}) == '{"a":[-1e-9,1e-7,"é\\n",null],"b":1}'.encode()
    values: tuple[Any, ...] = ({}, [], 0, -5, 0.1, 2**53 - 1, "\x7f\u2028", {"\U0001f600": 1, "\ufb33": 2}, 5e-324)
    for value in values:
        assert canonical.read(canonical.written(value)) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53, -(2**53), 1e16, b"", {1: 2}, "\ud800", {"\udfff": 1}, {1, 2}], ids=repr)
def test_what_the_form_cannot_hold_is_refused_where_it_stands(value: Any) -> None:
    with pytest.raises(InputError) as told:
        canonical.written({"rows": [0, value]})
    assert "rows[1]" in told.value.text("en")
    assert told.value.text("zh")


def test_what_is_nested_too_deep_is_refused() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(InputError):
        canonical.written(deep)


@pytest.mark.parametrize(
    "octets", [b'{"a":1,"a":1}', b'{"b":1,"a":1}', b'{"a": 1}', b'{"a":1}\n', b'{"a":1.0}', b'{"a":NaN}', b'{"a":1e400}',
                b'{"a":9007199254740993}', b'"\\u0041"',
                b"[" * 5000, b"1" * 5000, b"", b"\xff", b'"\\ud800"', b"{", b'{"a":Infinity}'],
)  # fmt: skip
def test_octets_that_are_not_canonical_are_refused(octets: bytes) -> None:
    with pytest.raises(InputError) as told:
        canonical.read(octets)
    assert told.value.text("zh")


# the chain


@pytest.mark.parametrize(
    ("octets", "key"),
    [(b"", "empty"), (b" \n", "empty"), (b'{"a":"bc', "cut"), (b'{"a":[1,2', "cut"), (b'{"a":b}', "syntax"), (b"[" * 200_000, "deep"), (b"1" * 5000, "number")],
)
def test_what_is_no_json_is_told_in_our_words(octets: bytes, key: str) -> None:
    """Not in the parser's, which are English alone and end in the middle."""
    with pytest.raises(InputError) as error:
        canonical.read(octets)
    assert error.value.key == f"canonical.{key}"


def test_of_what_is_no_entry_no_key_is_said_to_have_been_believed(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    (file := tmp_path / "000001.json").write_bytes(ledger.path(2).read_bytes()[:40])
    told = CliRunner().invoke(main, ["verify", str(file)])
    assert told.exit_code == 1
    assert "cut off" in told.output
    assert "No public key" not in told.output


def test_what_was_released_is_valid_and_says_so(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    receipt = release(ledger, key, (pdf(tmp_path),))
    verdict = found(ledger.root, key)
    assert (verdict.valid, verdict.entries, verdict.receipt, verdict.trust) == (True, 3, receipt, "given")
    assert found(ledger.path(3), key).receipt == receipt
    assert found(ledger.folder(3) / "周报 week.pdf", key).valid
    assert ledger.read(2).body["document"] == DOCUMENT
    assert found(ledger.root).trust == "beside"


def test_every_octet_of_a_report_flipped_is_found(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key, (pdf(tmp_path),))
    release(ledger, key)
    for file in (ledger.path(2), ledger.folder(2) / "周报 week.pdf"):
        whole = file.read_bytes()
        for at in range(len(whole)):
            for bit in (0x01, 0x20, 0x80):
                file.write_bytes(whole[:at] + bytes((whole[at] ^ bit,)) + whole[at + 1 :])
                assert not found(ledger.path(2), key).valid, (file, at, bit)
            assert not found(ledger.root, key).valid, (file, at)
        for other in (whole[:-1], whole + b" ", whole + b"\n", b"", whole * 2):
            file.write_bytes(other)
            assert not found(ledger.path(2), key).valid
        file.write_bytes(whole)
    assert found(ledger.root, key).valid


def test_octets_of_a_whole_weeks_report_flipped_are_found(ledger: Ledger, key: Key) -> None:
    """What is small is flipped octet by octet above; of a real report a sample, of all its length."""
    entry = ledger.path(ledger.release(key, json.loads(FILES["json"].read_text("utf-8")), [], by="ada", time=WHEN).number)
    whole = entry.read_bytes()
    assert found(entry, key).valid
    for at in range(0, len(whole), STRIDE):
        entry.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert not found(entry, key).valid, at


def test_removal_and_reordering_show_in_the_chain(ledger: Ledger, key: Key) -> None:
    for number in range(4):
        release(ledger, key, number=number)
    whole = {number: ledger.path(number).read_bytes() for number in ledger.numbers()}
    ledger.path(3).unlink()
    assert wrong(ledger.root, key) == ("removed", "000003.json")
    ledger.path(3).write_bytes(whole[4])
    assert wrong(ledger.root, key) == ("moved", "000003.json")
    for name, octets in ((3, whole[3]), (4, whole[4]), (1, whole[2])):
        ledger.path(name).write_bytes(octets)
    assert wrong(ledger.root, key) == ("moved", "000001.json")
    ledger.path(1).unlink()
    assert wrong(ledger.root, key) == ("removed", "000001.json")


def test_an_entry_exchanged_by_whoever_holds_the_key_does_not_fit(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    copy = Ledger(tmp_path / "copy")
    shutil.copytree(ledger.root, copy.root)
    release(ledger, key, index=10)
    release(ledger, key)
    release(copy, key, index=90)
    shutil.copy(copy.path(3), ledger.path(3))
    assert found(ledger.path(3), key).valid, "alone it is genuine"
    assert wrong(ledger.root, key) == ("unchained", "000004.json")


def test_an_end_cut_off_and_a_ledger_written_anew_show_by_the_receipt(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    copy = Ledger(tmp_path / "copy")
    shutil.copytree(ledger.root, copy.root)
    receipt = release(ledger, key)
    assert found(ledger.root, key, receipts=(receipt,)).valid
    ledger.path(3).unlink()
    assert found(ledger.root, key).valid
    assert wrong(ledger.root, key, receipts=(receipt,)) == ("cut_off", "000003.json")
    release(copy, key, index=1)
    assert wrong(copy.root, key, receipts=(receipt,)) == ("other", "000003.json")
    assert wrong(copy.path(3), key, receipts=(receipt,)) == ("other", "000003.json")


def test_files_taken_away_or_added_show(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key, (pdf(tmp_path),))
    extra = ledger.folder(2) / "more.pdf"
    extra.write_bytes(b"")
    assert wrong(ledger.root, key) == ("file_added", "000002/more.pdf")
    extra.unlink()
    (ledger.folder(2) / "周报 week.pdf").unlink()
    assert wrong(ledger.root, key) == ("file_gone", "000002/周报 week.pdf")
    alone = found(ledger.path(2), key)
    assert (alone.valid, alone.absent) == (True, ["周报 week.pdf"])


def test_a_file_is_judged_by_its_own_octets_whatever_lies_in_its_place(ledger: Ledger, key: Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The intact original lies in its folder; the file that was given is another one. Of two entries with a file of one name, each has its own."""
    release(ledger, key, (pdf(tmp_path),))
    pdf(tmp_path).write_bytes(b"%PDF-1.7 of a later week")
    release(ledger, key, (tmp_path / "周报 week.pdf",))
    beside = ledger.root / "周报 week.pdf"
    beside.write_bytes(b"%PDF-1.7 of no week")
    assert wrong(beside, key) == ("file_changed", str(beside))
    for number in (2, 3):
        shutil.copy(ledger.folder(number) / beside.name, beside)
        assert (verdict := found(beside, key)).valid
        assert verdict.receipt == ledger.read(number).receipt
    monkeypatch.chdir(ledger.folder(2))
    assert found(Path(beside.name), key).valid
    Path(beside.name).write_bytes(b"%PDF-1.7 of no week")
    assert wrong(Path(beside.name), key)[0] == "file_changed"


def test_what_went_with_an_entry_is_no_entry_whatever_it_is_called(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    names = ("form.json", "000001.json")
    release(ledger, key, tuple(pdf(tmp_path, name) for name in names))
    for name in names:
        file = ledger.folder(2) / name
        assert found(file, key).receipt == ledger.read(2).receipt
        file.write_bytes(b"{}")
        assert wrong(file, key) == ("file_changed", str(file))
        file.write_bytes(b"%PDF-1.7 of a week")
    shutil.copy(ledger.folder(2) / "form.json", ledger.root)
    assert found(ledger.root / "form.json", key).valid, "saved beside its entry, as a mail's attachments are"
    assert found(ledger.path(1), key).receipt == ledger.read(1).receipt
    shutil.copy(ledger.path(2), tmp_path / "saved (1).json")
    assert found(tmp_path / "saved (1).json", key).receipt == ledger.read(2).receipt, "an entry stays one under another name"


def test_what_no_entry_of_a_folder_names_is_told_and_vouched_for_by_nobody(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key, (pdf(tmp_path),))
    assert not found(ledger.root, key).unnamed
    shutil.move(ledger.folder(2) / "周报 week.pdf", ledger.root)
    assert not found(ledger.root, key).unnamed, "as the attachments of a mail are saved"
    shutil.copy(ledger.root / "周报 week.pdf", ledger.folder(2))
    shutil.copy(ledger.path(2), ledger.root / "000002 (1).json")
    ledger.folder(9).mkdir()
    (ledger.folder(9) / "evil\x1b[31m.pdf").write_bytes(b"")
    verdict = found(ledger.root, key)
    assert (verdict.valid, verdict.unnamed) == (True, ["000002 (1).json", "000009/evil\x1b[31m.pdf", "周报 week.pdf"])
    for language, words in (("en", "3 files here are named by no entry"), ("zh", "3 个文件不属于任何条目")):
        shown = balefire("verify", ledger.root, "--key", key.public, "--language", language)
        assert (shown.exit_code, words in shown.stderr, "000002 (1).json" in shown.stderr) == (0, True, True)


def test_a_receiver_holds_only_some(ledger: Ledger, key: Key) -> None:
    for number in range(4):
        release(ledger, key, number=number)
    for number in (1, 2, 4):
        ledger.path(number).unlink()
    assert wrong(ledger.root, key) == ("removed", "000001.json")
    verdict = found(ledger.root, key, some=True)
    assert (verdict.valid, verdict.missing, verdict.entries) == (True, [1, 2, 4], 2)


# keys


def rotated(ledger: Ledger, old: Key, folder: Path) -> Key:
    new = keys.make(folder, WORDS)
    ledger.release(old, {"action": "rotate", "key": new.public}, (), by="ada", time=WHEN, kind="key")
    return new


def test_what_a_rotated_key_signs_is_verified_by_the_first_one(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    second = rotated(ledger, key, tmp_path / "keys")
    with pytest.raises(UsageError):
        release(ledger, key)
    release(ledger, second)
    third = rotated(ledger, second, tmp_path / "keys")
    release(ledger, third)
    for trusted in (key, second, third):
        assert found(ledger.root, trusted).valid
    shutil.copy(ledger.path(6), tmp_path / "report.json")
    for trusted in (key, second, third):
        assert found(tmp_path / "report.json", trusted).valid
    shutil.copy(ledger.path(5), tmp_path / "key.json")
    assert wrong(tmp_path / "key.json", key) == ("alone", "key.json"), "what tells of keys carries nothing along"
    assert found(tmp_path / "key.json", second).valid
    part = tmp_path / "part"
    part.mkdir()
    shutil.copy(ledger.path(5), part)
    assert verify(part, [key.public], some=True).problem == "alone"
    shutil.copy(ledger.path(6), part)
    assert verify(part, [key.public], some=True).valid, "the entry after it leads to its key"
    stranger = keys.make(tmp_path / "other", WORDS)
    assert wrong(ledger.root, stranger) == ("stranger", "000001.json")
    assert wrong(tmp_path / "report.json", stranger) == ("stranger", "report.json")


def forged(root: Path, key: Key, number: int, previous: str | None, succession: list[Any], **body: Any) -> None:
    """What somebody who holds a key can write past the ledger."""
    from reports.ledger import PURPOSE

    told: dict[str, Any] = {
        "schema": 1, "number": number, "previous": previous, "kind": "report", "time": WHEN, "by": "eve", "key": key.public,
        "succession": succession, "files": [], "document": {}, **body,
    }  # fmt: skip
    octets = canonical.written({"entry": told, "signature": key.sign(PURPOSE + canonical.written(told))})
    root.mkdir(exist_ok=True)
    (root / f"{number:06}.json").write_bytes(octets)


def test_a_revoked_keys_later_signatures_are_refused_and_earlier_ones_stand(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    second = rotated(ledger, key, tmp_path / "keys")
    ledger.release(second, {"action": "revoke", "key": key.public, "reason": "lost"}, (), by="ada", time=WHEN, kind="key")
    last = release(ledger, second)
    assert found(ledger.root, key).valid
    known = [canonical.read(each.octets) for each in ledger.key_entries()]
    forged(ledger.root, key, 6, last.hash, known)
    assert wrong(ledger.root, key) == ("revoked", "000006.json")
    assert wrong(ledger.root, second) == ("revoked", "000006.json")
    assert wrong(ledger.path(6), key) == ("revoked", "000006.json")
    assert found(ledger.path(2), key).valid


def test_after_the_revocation_of_the_last_key_a_new_one_is_believed_only_where_it_was_handed_over(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    ledger.release(key, {"action": "revoke", "key": key.public, "reason": "stolen"}, (), by="ada", time=WHEN, kind="key")
    with pytest.raises(UsageError):
        release(ledger, key)
    new = made(ledger, tmp_path / "keys")
    release(ledger, new)
    assert wrong(ledger.root, key) == ("anew", "000003.json")
    assert wrong(ledger.path(4), key) == ("anew", "000004.json")
    for trusted in ((key, new), (new,)):
        assert found(ledger.root, *trusted).valid
        assert found(ledger.path(4), *trusted).valid
    for path in (ledger.root, ledger.path(4)):
        whole = found(path)
        assert (whole.valid, whole.trust, whole.keys) == (True, "beside", {key.public, new.public}), "whole, and whose is not said"
    third = rotated(ledger, new, tmp_path / "keys")
    release(ledger, third)
    assert wrong(ledger.root, key) == ("anew", "000003.json")
    assert found(ledger.root, new).valid
    assert found(ledger.path(6), new).valid
    eve = keys.make(tmp_path / "eve", WORDS)
    forged(ledger.root, eve, 7, ledger.read(6).hash, [], kind="key", document={"action": "make", "key": eve.public})
    for trusted in ((key, new), ()):
        assert wrong(ledger.root, *trusted) == ("stranger", "000007.json"), "a key stands: none begins anew"


def test_another_signer_is_told_apart_from_a_changed_text(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    second = rotated(ledger, key, tmp_path / "keys")
    release(ledger, second)
    from reports.ledger import PURPOSE

    entry: Any = canonical.read(ledger.path(4).read_bytes())

    for body, signer, problem in (
        (entry["entry"], key, "signer"),  # the old key, under the new one's name
        (entry["entry"], keys.make(tmp_path / "eve", WORDS), "signature"),  # of a key that nobody knows no more can be said
        ({**entry["entry"], "by": "eve"}, None, "signature"),
    ):
        signature = signer.sign(PURPOSE + canonical.written(body)) if signer else entry["signature"]
        ledger.path(4).write_bytes(canonical.written({"entry": body, "signature": signature}))
        for trusted in ((key,), (second,)):
            for path in (ledger.root, ledger.path(4)):
                assert wrong(path, *trusted) == (problem, "000004.json")
    assert found(ledger.root, key).values == {"number": 4, "fields": "document, time, by, signature"}


def test_what_of_an_entry_was_changed_is_told_where_anything_else_vouches_for_it(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    report = {"kind": "summary", "period": "weekly", "first_day": "2026-11-02", "alerts": 7}
    release(ledger, key)
    ledger.release(key, report | {"id": identity(report)}, (pdf(tmp_path),), by="ada", time=WHEN)
    entry: Any = canonical.read(ledger.path(3).read_bytes())
    body, signature = entry["entry"], entry["signature"]

    def told(signed: str = signature, **other: Any) -> tuple[str | None, object]:
        ledger.path(3).write_bytes(canonical.written({"entry": {**body, **other}, "signature": signed}))
        verdict = found(ledger.root, key)
        assert verdict.at == "000003.json"
        return verdict.problem, verdict.values["fields"]

    assert told(document={**body["document"], "alerts": 0}) == ("altered", "document")
    assert told(files=[{**body["files"][0], "sha256": "0" * 64}]) == ("altered", "files")
    assert told(kind="warning") == ("altered", "kind")
    assert told(previous="0" * 64) == ("altered", "previous")
    assert told(succession=[{**body["succession"][0], "signature": "0" * 128}]) == ("altered", "succession")
    assert told(signature[:-2]) == told(signature[:64] + "f" * 64) == ("altered", "signature")
    assert told(by="eve") == told(time="2026-11-27T06:00:00.000000000Z") == ("signature", "time, by, signature")


def test_a_stranger_cannot_lead_to_his_own_key(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    eve = keys.make(tmp_path / "eve", WORDS)
    own = {"kind": "key", "document": {"action": "make", "key": eve.public}}
    genuine = canonical.read(ledger.path(1).read_bytes())
    fake = tmp_path / "fake"
    forged(fake, eve, 1, None, [], **own)
    mine = canonical.read((fake / "000001.json").read_bytes())
    forged(fake, eve, 2, Ledger(fake).read(1).hash, [mine])
    assert wrong(fake, key) == ("stranger", "000001.json")
    for succession in ([], [genuine], [mine, genuine], [genuine, mine]):
        forged(fake, eve, 2, Ledger(fake).read(1).hash, succession)
        assert wrong(fake / "000002.json", key) == ("stranger", "000002.json")
    forged(fake, eve, 2, Ledger(fake).read(1).hash, [], kind="key", document={"action": "rotate", "key": key.public})
    assert wrong(fake, key) == ("stranger", "000001.json")


def test_a_private_key_is_nobody_elses(tmp_path: Path) -> None:
    key = keys.make(tmp_path / "keys", WORDS)
    file = tmp_path / "keys" / f"{key.public[:16]}.key"
    assert file.stat().st_mode & 0o777 == 0o600
    assert keys.load(tmp_path / "keys", key.public, WORDS).public == key.public
    assert key.private.private_bytes_raw() not in file.read_bytes()
    for mode, words, error in ((0o600, WORDS + "!", "key.wrong_passphrase"), (0o640, WORDS, "key.open"), (0o604, WORDS, "key.open")):
        file.chmod(mode)
        with pytest.raises(UsageError) as told:
            keys.load(tmp_path / "keys", key.public, words)
        assert told.value.key == error
    with pytest.raises(UsageError):
        keys.make(tmp_path / "keys", "short")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\x00", '{"public":1,"cost":2}', '{"cost":1e9,"salt":"","nonce":"","box":""}'])
def test_a_key_file_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / ("a" * 16 + ".key")).write_text(text)
    (tmp_path / ("a" * 16 + ".key")).chmod(0o600)
    with pytest.raises(UsageError) as told:
        keys.load(tmp_path, "a" * 64, WORDS)
    assert "a" * 16 in told.value.text("en")


# writers


def _writer(root: str, private: bytes, start: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    loaded = Ed25519PrivateKey.from_private_bytes(private)
    key = Key(loaded.public_key().public_bytes_raw().hex(), loaded)
    start.wait()
    for number in range(15):
        release(Ledger(Path(root)), key, number=number)


def test_two_who_write_at_once_make_one_chain(ledger: Ledger, key: Key) -> None:
    spawned = multiprocessing.get_context("spawn")
    start = spawned.Event()
    writers = [spawned.Process(target=_writer, args=(str(ledger.root), key.private.private_bytes_raw(), start)) for _ in range(2)]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    verdict = found(ledger.root, key)
    assert (verdict.valid, verdict.entries) == (True, 31)


def _releaser(root: str, private: bytes, start: Any) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    loaded = Ed25519PrivateKey.from_private_bytes(private)
    key = Key(loaded.public_key().public_bytes_raw().hex(), loaded)
    start.wait()
    for number in range(15):
        release(Ledger(Path(root)), key, id=f"report {number}")


def test_of_two_who_release_the_same_at_once_the_first_ones_entry_stays(ledger: Ledger, key: Key) -> None:
    spawned = multiprocessing.get_context("spawn")
    start = spawned.Event()
    both = [spawned.Process(target=_releaser, args=(str(ledger.root), key.private.private_bytes_raw(), start)) for _ in range(2)]
    for each in both:
        each.start()
    start.set()
    for each in both:
        each.join(60)
    assert [each.exitcode for each in both] == [0, 0]
    assert [ledger.read(number).body["document"].get("id") for number in ledger.numbers()] == [None, *(f"report {number}" for number in range(15))]
    assert release(ledger, key, id="report 3") == ledger.read(5).receipt, "who comes second holds the receipt of what is there"


WRITES = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from reports.keys import Key
from reports.ledger import Ledger
loaded = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(sys.argv[2]))
key = Key(loaded.public_key().public_bytes_raw().hex(), loaded)
print("ready", flush=True)
while True:
    Ledger(Path(sys.argv[1])).release(key, {"n": 1}, [Path(sys.argv[3])], by="x", time="t")
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_chain(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    file = pdf(tmp_path)
    for delay in (0.003, 0.011, 0.02, 0.034, 0.05):
        words = [sys.executable, "-c", WRITES, str(ledger.root), key.private.private_bytes_raw().hex(), str(file)]
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(delay)
            os.kill(writer.pid, signal.SIGKILL)
        assert found(ledger.root, key).valid
    last = release(ledger, key)
    assert found(ledger.root, key).receipt == last
    assert not [each.name for each in ledger.root.iterdir() if each.name.endswith(".new")]


def test_nothing_is_put_after_an_end_that_is_broken(ledger: Ledger, key: Key) -> None:
    release(ledger, key)
    ledger.path(2).write_bytes(ledger.path(2).read_bytes().replace(b"71.5", b"91.5"))
    with pytest.raises(StoreError):
        release(ledger, key)
    ledger.path(2).write_bytes(b"")
    with pytest.raises(BalefireError):
        release(ledger, key)
    assert ledger.numbers() == [1, 2]


def test_who_releases_is_signed_without_what_steers_a_terminal(ledger: Ledger, key: Key) -> None:
    entry = ledger.release(key, {"id": "r"}, (), by="Wang \033[31mFang\u202e\n=cmd", time="2026-11-29T00:00:00Z")
    assert entry.body["by"] == "Wang [31mFang =cmd"


def test_a_bad_document_or_file_releases_nothing(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        release(ledger, key, (pdf(tmp_path),), index=math.nan)
    for name in (".hidden.pdf", "a;b.pdf"):
        with pytest.raises(UsageError):
            release(ledger, key, (pdf(tmp_path, name),))
    with pytest.raises(UsageError):
        release(ledger, key, (pdf(tmp_path), pdf(tmp_path)))
    with pytest.raises(StoreError):
        release(ledger, key, (tmp_path / "none.pdf",))
    release(ledger, key)
    assert found(ledger.root, key).entries == 2


@pytest.mark.parametrize(
    "entry",
    [b"", b"{}", b"[]", b'{"entry":{},"signature":""}', b'{"entry":{},"signature":1}', b"null", b'{"entry":null,"signature":""}', b"\x00" * 100],
)
def test_hostile_entries_are_told_and_nothing_breaks(tmp_path: Path, entry: bytes) -> None:
    (tmp_path / "000001.json").write_bytes(entry)
    assert wrong(tmp_path) == ("unreadable", "000001.json")
    assert wrong(tmp_path / "000001.json") == ("unreadable", "000001.json")


@contextmanager
def scarce(octets: int) -> Generator[None]:
    """No file can become larger: as a disk that is full, files that were begun stay."""
    kept = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, kept[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)


def test_where_there_is_no_room_what_has_none_is_named_and_nothing_is_left(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    large = pdf(tmp_path)
    large.write_bytes(bytes(300_000))
    with scarce(100_000), pytest.raises(StoreError) as full:
        release(ledger, key, (large,))
    assert full.value.values["file"] == ledger.folder(2) / large.name
    with scarce(100_000), pytest.raises(StoreError) as full:
        release(ledger, key, (pdf(tmp_path, "small.pdf"),), note="x" * 200_000)
    assert full.value.values["file"] == ledger.path(2)
    assert sorted(file.name for file in ledger.root.iterdir()) == [".lock", "000001.json"]
    large.write_bytes(bytes(300_000))
    release(ledger, key, (large,))
    out = tmp_path / "out"
    parcel = Parcel("a" * 32, "", (ledger.path(2), ledger.folder(2) / large.name), str(out))
    with scarce(100_000), pytest.raises(LaterError, match=f"^{out}/000002/{large.name}: "):
        into_folder.deliver({}, parcel, lambda: None)
    assert not [file for file in out.iterdir() if file.name.endswith(".part")]


def test_a_pipe_in_the_place_of_an_entry_or_a_document_is_told_and_not_waited_for(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    os.mkfifo(ledger.path(3))
    os.mkfifo(ledger.root / "other.json")
    assert wrong(ledger.root, key) == ("unreadable", "000003.json")
    assert "is no file but a pipe" in str(found(ledger.root, key).values["why"])
    with pytest.raises(StoreError, match="is no file but a pipe"):
        release(ledger, key)
    with pytest.raises(UsageError, match="is no file but a pipe"):
        read_public(str(ledger.root / "other.json"))
    name = "weekly-2026-11-16-0123456789ab"
    (tmp_path / "reports" / name).mkdir(parents=True)
    os.mkfifo(tmp_path / "reports" / name / f"{name}.json")
    assert [row["problem"].key for row in Kept(tmp_path / "reports").heads()] == ["odd_file"]


def test_the_document_of_a_report_is_no_entry_and_says_what_is(ledger: Ledger, key: Key, tmp_path: Path) -> None:
    release(ledger, key)
    (tmp_path / "weekly.json").write_bytes(canonical.written({"kind": "summary", "id": "weekly-1"}))
    for place in (tmp_path / "weekly.json", ledger.path(3)):
        place.write_bytes(canonical.written({"kind": "summary", "id": "weekly-1"}))
    with pytest.raises(UsageError, match="document of report weekly-1 as it is kept, and nobody signed"):
        found(tmp_path / "weekly.json", key)
    assert wrong(ledger.root, key) == ("unreadable", "000003.json")


# the command line


def balefire(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)


def test_the_commands_from_the_first_key_to_a_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "words").write_text(WORDS + "\n")
    monkeypatch.setenv("BALEFIRE_KEY_PASSPHRASE_FILE", str(tmp_path / "words"))
    where = ("--ledger", tmp_path / "ledger", "--keys", tmp_path / "keys")
    first = json.loads(balefire("key", "make", *where, "--by", "ada", "--json").stdout)
    assert balefire("key", "make", *where).exit_code == 2
    second = json.loads(balefire("key", "rotate", *where, "--json").stdout)
    for each in (first, second):
        at_once = json.loads(balefire("verify", tmp_path / "ledger", "--key", each["key"], "--json").stdout)
        assert (at_once["valid"], at_once["reason"]) == (True, None), "the new key has signed, too"
    revoked = balefire("key", "revoke", first["key"][:12], "--reason", "lost", *where)
    assert revoked.exit_code == 0, revoked.stderr
    rows = [json.loads(line) for line in balefire("key", "list", *where, "--json").stdout.splitlines()]
    assert {row["key"]: row["standing"] for row in rows} == {first["key"]: "revoked", second["key"]: "signs"}
    told = balefire("verify", tmp_path / "ledger", "--key", first["key"], "--receipt", second["receipt"], "--json")
    assert {name: json.loads(told.stdout)[name] for name in ("valid", "reason", "at", "entries")} == {"valid": True, "reason": None, "at": None, "entries": 4}
    (tmp_path / "ledger" / "000002.json").unlink()
    gone = json.loads(balefire("verify", tmp_path / "ledger", "--key", first["key"], "--json").stdout)
    assert (gone["valid"], gone["at"]) == (False, "000002.json")
    for language, words in (("en", "entry 2 was taken out"), ("zh", "条目 2 被取走")):
        shown = balefire("verify", tmp_path / "ledger", "--key", tmp_path / "keys" / f"{first['key'][:16]}.pub", "--language", language)
        assert shown.exit_code == 1
        assert words in shown.stdout


def test_slips_of_who_verifies_are_told(tmp_path: Path) -> None:
    (tmp_path / "000001.json").write_bytes(b"{}")
    for words in (("--receipt", "1:zz"), ("--key", "zz"), ("--key", tmp_path)):
        assert balefire("verify", tmp_path, *words).exit_code == 2
    assert balefire("verify", tmp_path / "none", "--key", "a" * 64).exit_code == 2
    none = balefire("verify", tmp_path / "none", "--language", "en")
    assert (none.exit_code, "no such file or folder" in none.stderr, "replay" in none.stderr) == (2, True, False)
    unkeyed = balefire("verify", Path(__file__), "--key", "zzz", "--language", "en")
    assert (unkeyed.exit_code, "“zzz”" in unkeyed.stderr, "Errno" in unkeyed.stderr) == (2, True, False)
    (tmp_path / "lonely.pdf").write_bytes(b"")
    assert balefire("verify", tmp_path / "lonely.pdf").exit_code == 2
