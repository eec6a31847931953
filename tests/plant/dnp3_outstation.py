# ruff: noqa: ARG002, N802, N803  (names and arguments of methods are the stack's)
"""A DNP3 outstation of a genuine stack: `python -m tests.plant.dnp3_outstation ADDRESS`, until SIGTERM. It says "ready" when it listens."""

import signal
import sys
import time
from importlib import import_module
from typing import Any

stack: Any = import_module("opendnp3")  # it has no types

PORT = 20000
OUTSTATION, MASTER = 10, 1
POINTS = 60
"""Of each kind: enough for a response of several frames."""
FILES = {"config.xml": b"<rtu>" + bytes(range(65, 91)) * 40 + b"</rtu>"}


class Commands(stack.ICommandHandler):
    """Accepts controls of the first eight points."""

    def Begin(self) -> None:
        """A message with controls begins."""

    def End(self) -> None:
        """It ends."""

    def Select(self, command: Any, index: int) -> Any:
        """Would it be done?"""
        return stack.CommandStatus.SUCCESS if index < 8 else stack.CommandStatus.NOT_SUPPORTED

    def Operate(self, command: Any, index: int, handler: Any, kind: Any) -> Any:
        """Do it."""
        return self.Select(command, index)


class Application(stack.IOutstationApplication):
    """Takes the time, classes and restarts."""

    def SupportsWriteAbsoluteTime(self) -> bool:
        """It has a clock that can be set."""
        return True

    def WriteAbsoluteTime(self, timestamp: Any) -> bool:
        """Set it."""
        return True

    def SupportsAssignClass(self) -> bool:
        """Points can be given other classes."""
        return True

    def ColdRestartSupport(self) -> Any:
        """How long it is away is told in milliseconds."""
        return stack.RestartMode.SUPPORTED_DELAY_FINE

    WarmRestartSupport = ColdRestartSupport

    def ColdRestart(self) -> int:
        """Milliseconds."""
        return 5000

    def WarmRestart(self) -> int:
        """Milliseconds."""
        return 1000


class Files(stack.IFileHandler):
    """A few files in memory."""

    def __init__(self) -> None:
        stack.IFileHandler.__init__(self)
        self.open: dict[int, str] = {}
        self.held = dict(FILES)

    def OpenFile(self, filename: str, authKey: int, permissions: Any, mode: Any, maxBlockSize: int, requestId: int) -> Any:
        """To read what is there, or to write anything."""
        result = stack.FileOpenResult()
        if mode == stack.FileMode.READ and filename not in self.held:
            result.status = stack.FileStatus.FILE_NOT_FOUND
            return result
        if mode != stack.FileMode.READ:
            self.held[filename] = b""
        handle = len(self.open) + 1
        self.open[handle] = filename
        result.fileHandle, result.fileSize, result.maxBlockSize, result.status = handle, len(self.held[filename]), 512, stack.FileStatus.SUCCESS
        return result

    def CloseFile(self, fileHandle: int, requestId: int) -> Any:
        """Close it."""
        return stack.FileStatus.SUCCESS

    def DeleteFile(self, filename: str) -> Any:
        """Delete it."""
        return stack.FileStatus.SUCCESS if self.held.pop(filename, None) is not None else stack.FileStatus.FILE_NOT_FOUND

    def GetFileInfo(self, filename: str) -> Any:
        """What it is."""
        result = stack.FileCommandResult()
        result.status = stack.FileStatus.SUCCESS if filename in self.held else stack.FileStatus.FILE_NOT_FOUND
        result.info.fileName = filename
        return result

    def ReadBlock(self, fileHandle: int, blockNum: int) -> Any:
        """Half a kilobyte of it."""
        data = self.held[self.open[fileHandle]]
        result = stack.FileBlockResult()
        result.data, result.lastBlock = list(data[512 * blockNum : 512 * blockNum + 512]), len(data) <= 512 * blockNum + 512
        result.status = stack.FileStatus.SUCCESS
        return result

    def WriteBlock(self, fileHandle: int, blockNum: int, lastBlock: bool, data: bytes) -> Any:
        """Add to it."""
        self.held[self.open[fileHandle]] += bytes(data)
        return stack.FileStatus.SUCCESS

    def AbortFile(self, fileHandle: int) -> Any:
        """Give it up."""
        return stack.FileStatus.SUCCESS

    def AuthenticateFile(self, username: str, password: str) -> Any:
        """Anybody."""
        result = stack.OutstationFileAuthResult()
        result.status, result.authKey = stack.FileStatus.SUCCESS, 7
        return result


def config() -> Any:
    """Many points of each kind; events are reported unasked."""
    made = stack.OutstationStackConfig(stack.DatabaseConfig(POINTS))
    made.outstation.eventBufferConfig = stack.EventBufferConfig.AllTypes(50)
    made.outstation.params.allowUnsolicited = True
    made.link.LocalAddr, made.link.RemoteAddr = OUTSTATION, MASTER
    return made


def main() -> None:
    """Listen; every two seconds a binary and an analog input change."""
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopped.append(number))
    manager = stack.DNP3Manager(1)
    channel = manager.AddTCPServer("server", stack.LogLevels.none(), stack.ServerAcceptMode.CloseExisting, stack.IPEndpoint(sys.argv[1], PORT), None)
    keep = (Commands(), Application(), Files())  # the stack holds no references
    outstation = channel.AddOutstation("outstation", keep[0], keep[1], config(), keep[2])
    outstation.Enable()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    state = False
    while not stopped:
        time.sleep(2)
        state = not state
        builder = stack.UpdateBuilder()
        builder.Update(stack.Binary(state, stack.Flags(1), stack.DNPTime(1_700_000_000_123)), 3)
        builder.Update(stack.Analog(-12.5 if state else 100.0, stack.Flags(1), stack.DNPTime(1_700_000_000_456)), 5)
        outstation.Apply(builder.Build())
    manager.Shutdown()


if __name__ == "__main__":
    main()
