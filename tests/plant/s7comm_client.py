"""An engineering station on snap7: `python -m tests.plant.s7comm_client ADDRESS DIARY` does its list and writes down what it did."""

import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from snap7.client import Client
from snap7.error import S7Error
from snap7.type import Area, Block, WordLen

from tests.plant.network import exact_checksums

WHEN = datetime.datetime(2026, 3, 2, 10, 15, 30)  # noqa: DTZ001  (a controller's clock has no zone)


class Deed(TypedDict):
    """What the client asked its stack for, and what that said of it."""

    action: str
    effect: str
    name: str | None
    values: list[float] | None
    done: bool


class Diary:
    """What was done, in order."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def act(
        self, action: str, effect: str, name: str | None, deed: Callable[[], Any], written: list[float] | None = None,
        values: Callable[[Any], list[float]] | None = None, follow: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Do it, and note what the stack says; `follow`: what belongs to it."""
        try:
            said, done = deed(), True
        except (S7Error, RuntimeError, ValueError) as error:
            said, done = str(error), False
        told = written if not done or values is None else values(said)
        for each in (action, *follow):
            self.deeds.append({"action": each, "effect": effect, "name": name, "values": told, "done": done})


def act(client: Client, diary: Diary) -> None:
    """The list."""
    diary.act("read_var", "value.read", "P#DB1.DBX0.0 BYTE 8", lambda: client.db_read(1, 0, 8), values=list)
    diary.act("write_var", "value.write", "P#DB1.DBX10.0 BYTE 4", lambda: client.db_write(1, 10, bytearray(b"\1\2\3\4")), [1, 2, 3, 4])
    diary.act("read_var", "value.read", "DB1.DBX10.1", lambda: client.read_area(Area.DB, 1, 81, 1, WordLen.Bit), values=list)
    diary.act("read_var", "value.read", "P#M0.0 BYTE 4", lambda: client.mb_read(0, 4), values=list)
    diary.act("write_var", "output.operate", "QB2", lambda: client.ab_write(2, bytearray(b"\5")), [5])
    diary.act("read_var", "value.read", "P#I0.0 BYTE 2", lambda: client.eb_read(0, 2), values=list)
    diary.act("read_var", "value.read", "P#DB99.DBX0.0 BYTE 2", lambda: client.db_read(99, 0, 2))
    diary.act("read_var", "value.read", None, client.get_cpu_state)  # a job without items is what this stack sends
    items = [{"area": Area.MK, "db_number": 0, "start": 4, "size": 1}, {"area": Area.DB, "db_number": 1, "start": 2, "size": 2}]  # in the stack's own order
    diary.act("read_var", "value.read", "MB4", lambda: client.read_multi_vars(items)[1], values=lambda said: list(said[0]))
    diary.deeds.append({"action": "read_var", "effect": "value.read", "name": "P#DB1.DBX2.0 BYTE 2", "values": [2, 3], "done": True})
    diary.act("read_szl", "identity.read", "SZL W#16#0011, W#16#0000", client.get_order_code)
    diary.act("read_szl", "identity.read", "SZL W#16#001C, W#16#0000", client.get_cpu_info)
    diary.act("list_blocks", "directory.read", None, client.list_blocks)
    diary.act("get_block_info", "directory.read", "DB1", lambda: client.get_block_info(Block.DB, 1))
    diary.act("read_clock", "time.read", None, client.get_plc_datetime)
    diary.act("set_clock", "time.write", None, lambda: client.set_plc_datetime(WHEN))
    diary.act("compress_memory", "configuration.write", None, lambda: client.compress(1000))
    diary.act("copy_ram_to_rom", "memory.copy", None, lambda: client.copy_ram_to_rom(1000))
    diary.act("set_session_password", "credential.use", None, lambda: client.set_session_password("balefire"))
    diary.act("clear_session_password", "session.close", None, client.clear_session_password)
    diary.act("plc_stop", "cpu.stop", None, client.plc_stop)
    diary.act("cold_restart", "cpu.start", None, client.plc_cold_start)
    diary.act("warm_restart", "cpu.start", None, client.plc_hot_start)
    diary.act("start_upload", "program.upload", "DB1", lambda: client.upload(1), follow=("upload", "end_upload"))
    diary.act(
        "request_download", "program.download", "DB1", lambda: client.download(bytearray(64), 1), follow=("download_block", "download_ended")
    )  # fmt: skip
    diary.act("pi_service", "unknown", None, lambda: client.delete(Block.DB, 1))  # its lengths do not fit


def main(address: str, diary_at: Path) -> None:
    """Connect, act, write."""
    client, diary = Client(), Diary()
    client.connect(address, 0, 2)
    act(client, diary)
    client.disconnect()
    time.sleep(0.2)
    diary_at.write_text(json.dumps(diary.deeds), encoding="utf-8")


if __name__ == "__main__":
    exact_checksums("eth0")
    main(sys.argv[1], Path(sys.argv[2]))
