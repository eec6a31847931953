"""The closed list of effects: what an operation does to a plant, in one vocabulary for every protocol.

An effect gives an operation its access, its grain (grouped: one row a minute; own: a row each), its ATT&CK for ICS technique and its wording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

ACCESSES: Final = (
    "read", "report", "identify", "session", "write", "command", "program", "configure", "file", "time", "diagnose", "unknown",
)  # fmt: skip
LOOKING: Final = ("read", "report", "identify", "session")  # accesses that only look; all others act, or may


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect. `technique` is an ATT&CK for ICS id, or empty where looking is all that is done."""

    name: str
    access: str
    own: bool
    technique: str
    en: str
    zh: str


# fmt: off
EFFECTS: Final = (
    Effect("value.read", "read", False, "", "read values", "读取数值"),
    Effect("value.report", "report", False, "", "report values", "上送数值"),
    Effect("value.write", "write", True, "T0836", "write values", "写入数值"),
    Effect("output.select", "command", True, "", "select an output", "选择输出"),
    Effect("output.operate", "command", True, "T0855", "operate an output", "操作输出"),
    Effect("output.cancel", "command", True, "", "cancel an operation", "撤销操作"),
    Effect("value.force", "command", True, "T0835", "force a value", "强制数值"),
    Effect("value.unforce", "command", True, "T0835", "release a forced value", "取消强制"),
    Effect("setpoint.write", "write", True, "T0836", "write a set point", "写入设定值"),
    Effect("interrogation", "read", False, "T0801", "general interrogation", "总召唤"),
    Effect("counter.interrogation", "read", False, "", "counter interrogation", "电能量召唤"),
    Effect("counter.freeze", "command", True, "", "freeze counters", "冻结计数"),
    Effect("identity.read", "identify", False, "T0888", "read identity", "读取设备标识"),
    Effect("discovery.request", "identify", False, "T0846", "discover devices", "发现设备"),
    Effect("tags.browse", "identify", False, "T0861", "list points or tags", "枚举点位"),
    Effect("mode.read", "identify", False, "T0868", "read operating mode", "读取运行模式"),
    Effect("cpu.start", "command", True, "T0858", "start the controller", "启动控制器"),
    Effect("cpu.stop", "command", True, "T0858", "stop the controller", "停止控制器"),
    Effect("cpu.reset", "command", True, "T0816", "restart the device", "重启设备"),
    Effect("mode.change", "command", True, "T0858", "change operating mode", "切换运行模式"),
    Effect("program.download", "program", True, "T0843", "download a program to the controller", "下装程序"),
    Effect("program.upload", "program", True, "T0845", "upload a program from the controller", "上传程序"),
    Effect("program.delete", "program", True, "T0809", "delete a program", "删除程序"),
    Effect("program.modify", "program", True, "T0889", "change the program online", "在线修改程序"),
    Effect("program.activate", "program", True, "T0821", "activate a program or task", "激活程序"),
    Effect("memory.copy", "program", True, "T0889", "copy RAM to ROM", "内存写入只读存储"),
    Effect("firmware.mode", "program", True, "T0800", "enter firmware update", "进入固件升级"),
    Effect("firmware.write", "program", True, "T0857", "write firmware", "写入固件"),
    Effect("configuration.read", "configure", False, "", "read the configuration", "读取配置"),
    Effect("configuration.write", "configure", True, "T0836", "change the configuration", "修改配置"),
    Effect("address.set", "configure", True, "T0836", "set a name or address", "设置名称或地址"),
    Effect("alarm.configure", "configure", True, "T0838", "change alarm settings", "修改告警设置"),
    Effect("alarm.acknowledge", "command", True, "", "acknowledge an alarm", "确认告警"),
    Effect("reporting.enable", "configure", True, "", "enable unsolicited reports", "启用主动上送"),
    Effect("reporting.disable", "configure", True, "T0804", "disable unsolicited reports", "禁用主动上送"),
    Effect("restriction.listen_only", "command", True, "T0814", "make a device silent (listen only)", "置为只听模式"),
    Effect("credential.use", "session", True, "T0859", "log in", "登录"),
    Effect("credential.change", "configure", True, "T0892", "change a password", "修改口令"),
    Effect("session.open", "session", False, "", "open a session", "建立会话"),
    Effect("session.close", "session", False, "", "close a session", "关闭会话"),
    Effect("session.reserve", "session", True, "", "reserve or own the controller", "占用控制器"),
    Effect("file.read", "file", True, "T0893", "read a file", "读取文件"),
    Effect("file.write", "file", True, "T0867", "write a file", "写入文件"),
    Effect("file.delete", "file", True, "T0809", "delete a file", "删除文件"),
    Effect("directory.read", "file", False, "", "list files", "列目录"),
    Effect("time.read", "time", False, "", "read the clock", "读取时钟"),
    Effect("time.write", "time", True, "T0836", "set the clock", "设置时钟"),
    Effect("diagnostics.read", "diagnose", False, "", "read diagnostics", "读取诊断"),
    Effect("diagnostics.reset", "diagnose", True, "T0872", "clear counters or logs", "清除诊断记录"),
    Effect("test", "diagnose", False, "", "test or keep alive", "链路测试"),
    Effect("data.exchange", "report", False, "", "data exchange", "数据交换"),
    Effect("error.report", "report", False, "", "report an error", "上报错误"),
    Effect("unknown", "unknown", True, "", "unknown operation", "未知操作"),
)
# fmt: on

NUMBER: Final = {effect.name: number for number, effect in enumerate(EFFECTS)}
UNKNOWN: Final = NUMBER["unknown"]


def effect_named(name: str) -> Effect:
    """The effect of this name. Raises KeyError for a name outside the closed list."""
    return EFFECTS[NUMBER[name]]
