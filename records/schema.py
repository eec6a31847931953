"""The fields of everything that is recorded: one table each, the one source of Arrow and pandas types, rule-field checks, JSON names and docs.

Names follow the Elastic Common Schema; industrial fields stand under `ot.`. Columns are flat and dotted (`ot.object.first`); JSON is nested.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import pyarrow as pa

SCHEMA_VERSION: Final = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One column. `type`: keyword, ip, text, long, double, date, boolean or json (a JSON text, shown as what it holds); `many`: a list of it."""

    name: str
    type: str
    en: str
    zh: str
    many: bool = False


@dataclass(frozen=True, slots=True, eq=False)  # each is what it is: what is kept by table looks it up for every row
class Table:
    """A kind of record. `time` is the column that `since`, `until` and the default sort mean.

    `labels`: names of captures and of versions of rules, a field or a key of a field's objects (`packets.file`), what the store's history adds to a row
    (the alert that took a finding in), and what was known of assets and objects then: also in the words and the weight of a finding. They are shown and
    are no part of the content: the same capture under another name, or judged again with other lists of the plant, says the same.
    `bulk`: fields that are too large for the audit trail, which tells their digest.
    """

    name: str
    time: str
    fields: tuple[Field, ...]
    labels: tuple[str, ...] = ()
    bulk: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[object, ...]:
        """What is handed to another process, or remembered for it, means the table there."""
        return _named, (self.name,)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(field.name for field in self.fields)

    def field(self, name: str) -> Field | None:
        """The field of this name, ignoring case, or None."""
        return _by_name(self).get(name.casefold())


def _named(name: str) -> Table:
    return TABLES[name]


@cache
def _by_name(table: Table) -> dict[str, Field]:
    return {field.name.casefold(): field for field in table.fields}


def _asset_context(side: str, en: str, zh: str) -> tuple[Field, ...]:
    return (
        Field(f"{side}.asset.id", "keyword", f"asset of the {en}", f"{zh}资产编号"),
        Field(f"{side}.asset.name", "keyword", f"name of the {en}'s asset then", f"当时的{zh}资产名称"),
        Field(f"{side}.asset.role", "keyword", f"role of the {en}'s asset then", f"当时的{zh}资产角色"),
        Field(f"{side}.asset.zone", "keyword", f"zone of the {en}'s asset then", f"当时的{zh}资产区域"),
        Field(f"{side}.asset.level", "long", f"Purdue level of the {en}'s asset then", f"当时的{zh}资产普渡层级"),
    )


_TAG = (
    Field("ot.tag.name", "keyword", "what the plant calls the object: its tags, as imported then", "厂方对该对象的命名：当时已导入的位号", many=True),
    Field("ot.tag.unit", "keyword", "engineering unit of its value", "数值的工程单位"),
    Field("ot.tag.low", "double", "lower end of its engineering range", "工程量程下限"),
    Field("ot.tag.high", "double", "upper end of its engineering range", "工程量程上限"),
    Field("ot.tag.description", "keyword", "what the plant's list says of it", "厂方清单中的描述"),
)
_TAG_NAMES: Final = tuple(field.name for field in _TAG)
_OBSERVER = (
    Field("observer.name", "keyword", "sensor or capture that saw it", "看到它的探针或抓包"),
    Field("observer.site", "keyword", "site of the observer", "探针所在站点"),
)
_CONTEXT: Final = ("name", "role", "zone", "level")
KNOWN_THEN: Final = (*(f"{side}.asset.{name}" for side in ("source", "destination") for name in _CONTEXT), *_TAG_NAMES)
TITLED: Final = ("title.en", "title.zh", "reason.en", "reason.zh")
_SPAN = (
    Field("@timestamp", "date", "time of the event; of a grouped row its first", "事件时间；分组行为首次时间"),
    Field("event.start", "date", "first packet time", "首包时间"),
    Field("event.end", "date", "last packet time", "末包时间"),
)

# fmt: off
ACTIVITY: Final = Table("activity", "@timestamp", (
    Field("id", "keyword", "identity: a hash of observer, window, key and fragment", "标识：探针、时间窗、键与片段的散列"),
    *_SPAN,
    Field("event.action", "keyword", "name of the operation in its protocol", "操作在其协议中的名称"),
    Field("event.outcome", "keyword", "success, failure, or unknown where no answer was seen", "成功、失败，或未见应答（unknown）"),
    Field("source.ip", "ip", "address of who asked or spoke", "来源地址"),
    Field("source.mac", "keyword", "MAC address of who asked or spoke", "来源 MAC 地址"),
    Field("source.port", "long", "port of who asked, on rows of their own", "来源端口（仅单独成行者）"),
    Field("destination.ip", "ip", "address of who was asked or spoken to", "目的地址"),
    Field("destination.mac", "keyword", "MAC address of who was asked", "目的 MAC 地址"),
    Field("destination.port", "long", "port that was asked", "目的端口"),
    Field("network.transport", "keyword", "tcp, udp …", "传输层协议"),
    Field("network.protocol", "keyword", "industrial protocol", "工业协议"),
    Field("network.vlan.id", "long", "VLAN identifier", "VLAN 编号"),
    Field("network.tunnel.type", "keyword", "outermost tunnel that carried it: gre, gtpu, vxlan …", "承载它的最外层隧道：gre、gtpu、vxlan 等"),
    Field("network.tunnel.id", "long", "its TEID, VNI, key, session or innermost label", "其 TEID、VNI、密钥、会话或最内层标签"),
    *_OBSERVER,
    Field("ot.effect", "keyword", "what it does to the plant, of the closed list of effects", "对装置的作用（封闭列表）"),
    Field("ot.access", "keyword", "kind of access: read, write, command, program …", "访问类别"),
    Field("ot.code", "keyword", "function code path in decimal, most general first", "功能码路径（十进制）"),
    Field("ot.unit", "long", "unit, station or common address inside the destination", "单元或站地址"),
    Field("ot.object.space", "keyword", "address space: coil, holding_register …", "地址空间"),
    Field("ot.object.name", "keyword", "name of the object, where the protocol has names", "对象名称"),
    Field("ot.object.first", "long", "first address as on the wire, zero-based", "首地址（线上值，从零起）"),
    Field("ot.object.last", "long", "last address as on the wire", "末地址（线上值）"),
    Field("ot.object.count", "long", "distinct ranges that this row stands for", "本行代表的不同区间数"),
    Field("ot.error", "keyword", "error that the device answered", "设备返回的错误"),
    Field("ot.count", "long", "operations that this row stands for", "本行代表的操作次数"),
    Field("ot.bytes", "long", "bytes of the messages", "报文字节数"),
    Field("ot.interval.mean", "double", "mean time between operations, seconds", "操作平均间隔（秒）"),
    Field("ot.interval.deviation", "double", "standard deviation of that time, seconds", "间隔标准差（秒）"),
    Field("ot.rtt", "double", "time to the answer (mean), seconds", "应答时间（均值，秒）"),
    Field("ot.value", "double", "the value, where there is a single one", "数值（仅单值）"),
    Field("ot.anomaly", "keyword", "what is malformed or out of turn", "畸形或时序异常", many=True),
    Field("ot.grouped", "boolean", "true where the row stands for a window, not for one operation", "是否为时间窗分组行"),
    Field("ot.fragment", "long", "0, or the number of a later fragment of the same window", "同一时间窗的片段序号"),
    Field("ot.packet.first", "long", "number of the first packet in its capture, from 1", "首包序号（从 1 起）"),
    Field("ot.packet.last", "long", "number of the last packet in its capture", "末包序号"),
    *_asset_context("source", "source", "来源"),
    *_asset_context("destination", "destination", "目的"),
    *_TAG,
), labels=KNOWN_THEN)

POINT: Final = Table("point", "@timestamp", (
    Field("id", "keyword", "identity: a hash of observer, window, point and fragment", "标识：探针、时间窗、点位与片段的散列"),
    *_SPAN,
    *_OBSERVER,
    Field("destination.ip", "ip", "device that holds the point", "点位所在设备"),
    Field("network.protocol", "keyword", "industrial protocol", "工业协议"),
    Field("ot.unit", "long", "unit inside the device", "设备内单元"),
    Field("ot.object.space", "keyword", "address space", "地址空间"),
    Field("ot.object.name", "keyword", "name of the object, where the protocol has names", "对象名称"),
    Field("ot.object.first", "long", "address as on the wire, zero-based", "地址（线上值，从零起）"),
    Field("ot.point.min", "double", "smallest value in the window", "时间窗内最小值"),
    Field("ot.point.max", "double", "largest value in the window", "时间窗内最大值"),
    Field("ot.point.first", "double", "first value in the window", "时间窗内首值"),
    Field("ot.point.last", "double", "last value in the window", "时间窗内末值"),
    Field("ot.point.changes", "long", "how often the value changed", "数值变化次数"),
    Field("ot.point.count", "long", "how often the value was seen", "数值出现次数"),
    Field("ot.point.quality", "keyword", "what the device says of its last value: online, invalid …", "设备对末值的品质说明：在线、无效等", many=True),
    Field("ot.point.time", "date", "time of the last value as the device tells it", "设备给出的末值时间"),
    Field("ot.fragment", "long", "0, or the number of a later fragment of the same window", "同一时间窗的片段序号"),
    *_TAG,
), labels=_TAG_NAMES)

FINDING: Final = Table("finding", "time", (
    Field("id", "keyword", "identity", "标识"),
    Field("key", "keyword", "what it is about: findings of one key fold into one alert", "归并键"),
    Field("detector", "keyword", "detector that found it", "检测器"),
    Field("rule", "keyword", "rule that found it", "规则"),
    Field("version", "keyword", "version of what judged: of the rules (balefire rules versions); else Balefire's, + that of the baseline where one judges",
          "作出判断者的版本：规则为规则版本（balefire rules versions）；其他检测器为 Balefire 版本，按基线判断者后附“+基线版本”"),
    Field("time", "date", "time of the first activity", "首个活动时间"),
    Field("end", "date", "time of the last activity", "最后活动时间"),
    Field("severity", "long", "score clamped to 0–100; medium from 40, high from 60, critical from 80", "严重度 0–100"),
    Field("score", "double", "sum of the terms", "各项之和"),
    Field("terms", "json", "named terms that add up to the score: name, value", "得分项"),
    Field("title.en", "text", "title in English", "英文标题"),
    Field("title.zh", "text", "title in Chinese", "中文标题"),
    Field("reason.en", "text", "reason in words, English", "英文说明"),
    Field("reason.zh", "text", "reason in words, Chinese", "中文说明"),
    Field("normal.en", "text", "what would have been normal, English", "正常情况（英文）"),
    Field("normal.zh", "text", "what would have been normal, Chinese", "正常情况（中文）"),
    Field("respond", "json", "first steps: en, zh", "处置步骤"),
    Field("source.ip", "ip", "address of who asked or spoke", "来源地址"),
    Field("destination.ip", "ip", "address of who was asked or spoken to", "目的地址"),
    Field("effects", "keyword", "effects of the activities", "作用", many=True),
    Field("techniques", "keyword", "ATT&CK for ICS techniques", "ATT&CK for ICS 技术", many=True),
    Field("activities", "keyword", "identities of the activities", "活动标识", many=True),
    Field("assets", "keyword", "assets concerned", "相关资产", many=True),
    Field("packets", "json", "packets: file, packet, time", "数据包"),
    *_OBSERVER,
    Field("alert", "keyword", "alert that took it in; absent where it is hidden", "归入的告警；被抑制时为空"),
    Field("suppressions", "keyword", "suppressions that hide it", "将其隐藏的抑制规则", many=True),
    Field("expired", "keyword", "suppressions that would have hidden it, but had ended", "原可将其隐藏但已失效的抑制规则", many=True),
), labels=("packets.file", "version", "alert", "suppressions", "expired", *TITLED, "severity", "score", "terms"))

ALERT: Final = Table("alert", "last", (
    Field("id", "keyword", "identity", "标识"),
    Field("key", "keyword", "key of its findings", "归并键"),
    Field("status", "keyword", "open: new; acknowledged, in_progress, closed", "open（新）、acknowledged（已受理）、in_progress（处理中）、closed（已关闭）"),
    Field("severity", "long", "highest severity of its findings", "最高严重度"),
    Field("title.en", "text", "title in English", "英文标题"),
    Field("title.zh", "text", "title in Chinese", "中文标题"),
    Field("reason.en", "text", "reason in words, English", "英文说明"),
    Field("reason.zh", "text", "reason in words, Chinese", "中文说明"),
    Field("first", "date", "first finding", "首次发现"),
    Field("last", "date", "last finding", "最近发现"),
    Field("count", "long", "number of its distinct findings in the store, when the last one came", "其不同发现的数量（以最近一次归入时的存储为准）"),
    Field("findings", "keyword", "some of them, 100 at most, the gravest included; all have this alert", "部分发现（至多 100 个，含最严重者）", many=True),
    Field("assets", "keyword", "assets concerned", "相关资产", many=True),
    Field("techniques", "keyword", "ATT&CK for ICS techniques", "ATT&CK for ICS 技术", many=True),
    Field("closed", "date", "packet time when it was closed", "关闭时的数据包时间"),
    Field("expired", "keyword", "suppressions that hid the like and have ended: it is shown again since", "曾隐藏同类发现、现已失效的抑制规则", many=True),
    Field("assignee", "keyword", "who works on it", "处理人"),
    Field("verdict", "keyword", "while it is closed: true, expected or false; what it was closed as before stands in the audit trail",
          "关闭期间的结论：true（属实）、expected（预期内）、false（误报）；以往结论见审计记录"),
    Field("revision", "long", "number of decisions about it", "处置次数"),
))

SUPPRESSION: Final = Table("suppression", "since", (
    Field("id", "keyword", "identity", "标识"),
    Field("rule", "keyword", "rule (or detector) whose findings it hides", "其隐藏的规则（或检测器）"),
    Field("owner", "keyword", "who answers for it", "负责人"),
    Field("reason", "text", "why these findings are expected", "原因"),
    Field("since", "date", "packet time from which it hides", "生效起点（数据包时间）"),
    Field("until", "date", "packet time from which it hides no more", "失效时间（数据包时间）"),
    Field("where", "json", "fields and the values that each may have; null: absent", "字段及其允许值；null 表示缺失"),
    Field("alert", "keyword", "alert that it was made from", "来源告警"),
    Field("revoked", "date", "packet time when it was revoked", "撤销时的数据包时间"),
    Field("revision", "long", "number of decisions about it", "处置次数"),
))

AUDIT: Final = Table("audit", "time", (
    Field("id", "keyword", "place in the trail, from 1, with leading zeros", "序号（从 1 起，前补零）"),
    Field("time", "date", "when it was decided, by the clock of this machine", "处置时间（本机时钟）"),
    Field("by", "keyword", "who decided; balefire where an alert reopened by itself", "处置人；告警自动重新打开时为 balefire"),
    Field("action", "keyword", "acknowledge, assign, start, note, close, reopen, suppress, revoke, import, retire, rollback, login, logout, "
          "locked, grade, moment, fill, release, supplement, waive, issue, sign, handle, feedback, baseline_learned, baseline_imported, ask, withdraw, "
          "disable, enable; of an account account_add, account_role, account_password, account_remove",
          "动作"),
    Field("table", "keyword", "alert, suppression, grading, duty, warning, plant, rules, baseline, release or access; of what was retired, each table",
          "对象类别"),
    Field("subject", "keyword", "identity of what it was about; of what was retired, the time before which", "对象标识；过期删除时为截止时间"),
    Field("before", "json", "the fields that changed, as they were", "变更前"),
    Field("after", "json", "the fields that changed, as they became", "变更后"),
    Field("note", "text", "what was noted", "备注"),
    Field("hash", "keyword", "hash of this entry and of the hash of the one before", "本条内容与前一条散列的散列"),
))

INCIDENT: Final = Table("incident", "last", (
    Field("id", "keyword", "identity", "标识"),
    Field("status", "keyword", "open or closed", "状态"),
    Field("severity", "long", "highest severity of its alerts", "最高严重度"),
    Field("title.en", "text", "title in English", "英文标题"),
    Field("title.zh", "text", "title in Chinese", "中文标题"),
    Field("first", "date", "first alert", "首个告警"),
    Field("last", "date", "last alert", "最近告警"),
    Field("alerts", "keyword", "identities of the alerts", "告警标识", many=True),
    Field("assets", "keyword", "assets concerned", "相关资产", many=True),
    Field("techniques", "keyword", "ATT&CK for ICS techniques", "ATT&CK for ICS 技术", many=True),
))

ASSET: Final = Table("asset", "last", (
    Field("id", "keyword", "identity", "标识"),
    Field("name", "keyword", "name", "名称"),
    Field("addresses", "keyword", "IP and MAC addresses", "地址", many=True),
    Field("vendor", "keyword", "vendor", "厂商"),
    Field("model", "keyword", "model", "型号"),
    Field("firmware", "keyword", "firmware version", "固件版本"),
    Field("serial", "keyword", "serial number", "序列号"),
    Field("role", "keyword", "role from behaviour and identity", "角色"),
    Field("zone", "keyword", "zone", "区域"),
    Field("level", "long", "Purdue level", "普渡层级"),
    Field("criticality", "keyword", "what it matters to the plant: critical, high, normal or low", "对装置的重要程度：critical、high、normal 或 low"),
    Field("first", "date", "first seen", "首次出现"),
    Field("last", "date", "last seen", "最近出现"),
    Field("sources", "keyword", "where the facts come from", "信息来源", many=True),
    Field("observer.site", "keyword", "site", "站点"),
    Field("aliases", "keyword", "further identities of this asset: of its other addresses, of its serial number", "本资产的其他标识", many=True),
    Field("facts", "json", "all that is known: name, value, source, confidence 0–100, first, last", "全部信息：名称、值、来源、可信度、首末时间"),
    Field("conflicts", "json", "addresses in dispute: address, other, kind, first, last, before", "移动或有冲突的地址：地址、对方、类型、首末时间、原处"),
))

PLANT: Final = Table("plant", "since", (
    Field("id", "keyword", "assets, zones or tags: one list of each", "assets（资产）、zones（区域）或 tags（位号）：各一份清单"),
    Field("since", "date", "when it was imported, by the clock of that machine", "导入时间（本机时钟）"),
    Field("by", "keyword", "who imported it", "导入人"),
    Field("file", "keyword", "name of the last file", "最近导入的文件名"),
    Field("digest", "keyword", "SHA-256 of the content", "内容的 SHA-256"),
    Field("rows", "long", "entries in the list", "清单条目数"),
    Field("content", "json", "the entries", "清单内容"),
    Field("revision", "long", "number of imports", "导入次数"),
), labels=("file",), bulk=("content",))

COVERAGE: Final = Table("coverage", "@timestamp", (
    Field("id", "keyword", "identity: a hash of observer, interface and window", "标识：探针、接口与时间窗的散列"),
    *_SPAN,
    *_OBSERVER,
    Field("interface", "keyword", "interface that the packets came from, where the capture names interfaces", "数据包来自的接口（抓包含接口信息时）"),
    Field("file", "keyword", "name of the capture", "抓包文件名"),
    Field("packets", "long", "packets seen", "数据包数"),
    Field("bytes", "long", "bytes on the wire", "线上字节数"),
    Field("grade", "double", "0–100: share of payload that could be judged, cut, never rounded up", "覆盖度 0–100（只舍不入）"),
    Field("reasons", "json", "what takes points: reason (lost, undecoded, encrypted, shed, cut), points, bytes", "失分原因：原因、分数、字节数"),
    Field("lost", "long", "bytes known to be missing", "已知缺失字节"),
    Field("gaps", "long", "gaps in streams", "流中缺口数"),
    Field("undecoded_bytes", "long", "payload bytes that no dissector understood, or that were let go (`shed_bytes`)", "未解析或已丢弃的字节"),
    Field("encrypted_bytes", "long", "those of them of conversations recognised as encrypted: not to be seen by right", "其中属于已识别加密会话的字节"),
    Field("decoded_bytes", "long", "payload bytes that a dissector understood", "已解析字节"),
    Field("late", "long", "packets too late for their window", "迟到数据包"),
    Field("truncated", "long", "packets cut by the snap length", "被截断的数据包"),
    Field("one_sided", "long", "conversations of known protocols that ended in this window, of which one direction never came", "在本时间窗结束的单向会话"),
    Field("talks", "long", "TCP conversations with enough payload in this window to miss a direction by", "本时间窗内可据以判断方向缺失的 TCP 会话"),
    Field("requests_only", "long", "those of them in which only what goes to the server was seen", "其中只看到发往服务端方向的会话"),
    Field("answers_only", "long", "those of them in which only what comes from the server was seen", "其中只看到来自服务端方向的会话"),
    Field("split_vlans", "long", "conversations whose two directions carry different VLANs", "两个方向 VLAN 不同的会话"),
    Field("namesakes", "long", "conversations with addresses and ports that others have in another VLAN or by another interface; taken for others",
          "与其他 VLAN 或接口上的会话地址、端口相同而按不同会话处理者"),
    Field("vlans", "json", "these VLANs: requests, answers (null: untagged), conversations", "上述 VLAN：请求、应答（null 为无标签）、会话数"),
    Field("datagrams", "json", "UDP conversations: protocol, conversations, requests_only, answers_only", "UDP 会话：协议、会话数、只见请求、只见应答"),
    Field(
        "halves", "json", "servers of which one direction is missing: protocol (null: TCP), server, requests_only, answers_only (conversations)",
        "只看到一个方向的服务端：协议（TCP 为空）、地址、只见请求、只见应答（会话数）",
    ),
    Field("dropped", "long", "packets that the capturing system says it dropped", "抓包系统自报丢弃的数据包"),
    Field("mirrored", "long", "IP packets that came again from another mirror port; not left out", "由另一镜像端口再次到达的 IP 数据包（不剔除）"),
    Field("clock_ahead", "double", "seconds the capture's clock is ahead of that on the wire with most samples", "抓包时钟比网上对时源快的秒数"),
    Field("clocks", "json", "clocks on the wire (NTP, PTP), seconds: name, ahead (median), spread, samples", "网上对时源：名称、快多少、离散、样本数"),
    Field(
        "clock_steps", "long", "1 where the clock stepped: after minutes without a packet conversations go on where they were",
        "抓包时钟向前跳变为 1：数分钟无数据包之后，会话仍从原处继续",
    ),
    Field("clock_back", "double", "seconds by which the clock stepped back: conversations go on at a time before", "抓包时钟回跳的秒数：会话在更早的时间继续"),
    Field(
        "absent", "double", "seconds before the first packet of this window of which nothing, or not all, is stored: the sensor did not run, or was killed",
        "本时间窗首个数据包之前没有存储或存储不全的秒数：探针未运行或被强制终止",
    ),
    Field(
        "dark", "double", "seconds up to the end of this window in which nothing could come: the interface was down, had no link, or was gone",
        "截至本时间窗结束，接口未启用、无链路或已消失而无法收到数据的秒数",
    ),
    Field(
        "broken", "json", "in the last window of a capture that is cut off or corrupt: error, file, left (bytes not read; null: unknown), packet, …; others",
        "抓包被截断或损坏时记在其最后一个时间窗：错误、文件、未读取字节（不明为空）、数据包序号、偏移等；同一时间窗的其余各项在 others 中",
    ),
    Field("jumps", "long", "jumps of time, counted and not followed", "时间跳变"),
    Field("shed", "long", "what found no room and was let go under overload: rows, hosts, conversations", "过载时因容量不足而丢弃的行、主机与会话"),
    Field("shed_bytes", "long", "those of them that this and `dropped` cost: each counts as an understood packet",
          "未解析字节中因上述丢弃及系统丢包所计部分：每项按一个已解析数据包计"),
    Field("cut_bytes", "long", "those of them that the capture cut off packets (snap length) of conversations that are understood",
          "未解析字节中因抓包长度限制从可解析会话的数据包上截去者"),
    Field("refused", "long", "rows that the store could not hold, kept among its dead letters", "存储无法接收、已转存为死信的行"),
    Field("duplicates", "long", "frames left out: copies that came over the other way of a redundant network", "冗余网络中已去除的重复帧"),
    Field("fragments", "long", "datagrams put together from fragments", "由分片重组的数据报"),
    Field("unfinished", "long", "datagrams given up: not all of their fragments came in time", "因分片未及时到齐而放弃的数据报"),
    Field("bad_fragments", "long", "datagrams given up: their fragments contradict each other", "因分片相互矛盾而放弃的数据报"),
    Field("bad_checksums", "long", "packets with a wrong checksum of IP, TCP or UDP", "IP、TCP 或 UDP 校验和错误的数据包"),
    Field("rejected", "long", "those of them not believed: their sender's are right otherwise", "其中不予采信者：其发送方的其他校验和均正确"),
    Field("tunnels", "json", "packets inside tunnels, by kind: name, packets", "各类隧道内的数据包"),
    Field("overlaps", "long", "octets that came twice and differed: two versions of one stream", "重复到达且内容不同的数据段"),
    Field("repeated", "long", "segments whose bytes had come before, equal ones or such as nobody remembers", "内容先前已到达的数据段（相同，或已无从比较）"),
    Field("half_open", "long", "connections that somebody opened and nobody answered", "无应答的半开连接"),
    Field("attempts", "json", "connections that came to nothing, by source: source, sources, count, answered, hosts, ports, tried", "按发起方统计的无果连接"),
    Field("calls", "json", "connections of no known protocol that devices have of their own: source, destination, port …", "设备自行发起的未知协议连接"),
    Field("undecoded", "json", "not understood, by port: name, bytes, packets, entropy, lengths, period, guess, tshark …", "按端口的未解析内容及特征"),
    Field("encrypted", "json", "encrypted, by cipher and port: name (tls, ssh, ipsec …), port, bytes, conversations", "按加密协议和端口的加密内容"),
), labels=("file", "undecoded.tshark"))

EVIDENCE: Final = Table("evidence", "time", (
    Field("id", "keyword", "identity: that of the finding whose packets these are", "标识：即所属发现的标识"),
    Field("file", "keyword", "name of the capture that they were copied from", "数据包所来自的抓包文件名"),
    Field("time", "date", "time of the first packet", "首包时间"),
    Field("end", "date", "time of the last packet", "末包时间"),
    Field("packets", "long", "packets that are kept, or were: those that the finding names, and neighbours of the same conversations",
          "已保存（或曾保存）的数据包数：发现所指的数据包及同一会话的相邻数据包"),
    Field("numbers", "long", "their numbers in the capture, from 1", "它们在抓包中的序号（从 1 起）", many=True),
    Field("missing", "long", "packets that the finding names and that could not be had", "发现所指但未能取得的数据包数"),
    Field("bytes", "long", "captured bytes of the packets", "数据包的捕获字节数"),
    Field("sha256", "keyword", "SHA-256 of the packets as pcapng; equal ones are kept once", "数据包（pcapng）的 SHA-256；相同内容只存一份"),
    Field("kept", "date", "when they were kept, by the clock of this machine", "保存时间（本机时钟）"),
    Field("gone", "date", "when they were removed, by the clock of this machine; absent where they are there", "清除时间（本机时钟）；仍在时为空"),
    Field("reason", "text", "why they were removed: size or age", "清除原因：size（空间）或 age（期限）"),
), labels=("file", "kept", "gone", "reason"))

GRADING: Final = Table("grading", "confirmed", (
    Field("id", "keyword", "identity: that of the alert that was confirmed as an incident", "标识：即被确认为事件的告警的标识"),
    Field("graded", "keyword", "level of the incident by GB/T 20986: general, considerable, major or extraordinary",
          "事件级别（GB/T 20986）：general 一般、considerable 较大、major 重大、extraordinary 特别重大"),
    Field("class", "keyword", "class of the incident by GB/T 20986", "事件类别（GB/T 20986）"),
    Field("operator", "keyword", "what the unit is to the law: cii, state, other, protection or authority",
          "单位性质：cii、state、other、protection 或 authority"),
    Field("confirmed", "date", "when the alert was closed as true, by the clock of that machine: clocks start there",
          "告警以“属实”关闭的时间（该机时钟）：时限由此起算"),
    Field("decided", "date", "when the level was decided, by the clock of that machine", "定级时间（该机时钟）"),
    Field("handled", "date", "when handling ended, as somebody said", "处置结束时间（由人填报）"),
    Field("paid", "date", "when a ransom was paid, as somebody said", "支付赎金时间（由人填报）"),
    Field("facts", "json", "what the level was suggested from", "定级建议所依据的事实"),
    Field("revision", "long", "number of decisions about it", "处置次数"),
))

DUTY: Final = Table("duty", "confirmed", (
    Field("id", "keyword", "identity: alert and duty", "标识：告警与义务"),
    Field("alert", "keyword", "alert that it is about; empty for what is of a whole year", "所涉告警；年度报告为空"),
    Field("duty", "keyword", "duty of reports/duties, regime/id", "义务（reports/duties），形如 regime/id"),
    Field("confirmed", "date", "when the alert was closed as true", "告警以“属实”关闭的时间"),
    Field("status", "keyword", "open, released or waived", "open（待报）、released（已报）或 waived（不适用）"),
    Field("fields", "json", "the form as it was filled in", "已填表单"),
    Field("released", "date", "when it was released, by the clock of that machine", "发布时间（该机时钟）"),
    Field("receipt", "keyword", "entry of the ledger and its hash", "台账条目及其散列"),
    Field("revision", "long", "number of decisions about it", "处置次数"),
))

WARNING: Final = Table("warning", "issued", (
    Field("id", "keyword", "identity", "标识"),
    Field("alert", "keyword", "alert that it was made from", "来源告警"),
    Field("colour", "keyword", "red, orange, yellow or blue", "red 红、orange 橙、yellow 黄或 blue 蓝"),
    Field("title", "text", "what it warns of", "预警内容"),
    Field("reasons", "json", "why: en, zh", "理由"),
    Field("receiver", "keyword", "who is to sign for it", "接收单位"),
    Field("status", "keyword", "issued, signed, handled, feedback or closed",
          "issued（已发布）、signed（已签收）、handled（已处置）、feedback（已反馈）或 closed（已关闭）"),
    Field("issued", "date", "when it was issued, by the clock of that machine", "发布时间（该机时钟）"),
    Field("signed", "date", "when it was signed for", "签收时间"),
    Field("handled", "date", "when it was handled", "处置时间"),
    Field("feedback", "date", "when feedback came", "反馈时间"),
    Field("closed", "date", "when it was closed", "关闭时间"),
    Field("due", "date", "when the next step is due; absent where it is closed", "下一环节的时限；已关闭时为空"),
    Field("revision", "long", "number of decisions about it", "处置次数"),
))

REPORT: Final = Table("report", "until", (
    Field("id", "keyword", "identity", "标识"),
    Field("period", "keyword", "daily, weekly, monthly or quarterly", "周期"),
    Field("since", "date", "start of the period", "开始"),
    Field("until", "date", "end of the period", "结束"),
    Field("files", "keyword", "files that were made", "文件", many=True),
))
# fmt: on

TABLES: Final = {
    table.name: table
    for table in (ACTIVITY, POINT, FINDING, ALERT, SUPPRESSION, AUDIT, INCIDENT, ASSET, PLANT, COVERAGE, EVIDENCE, REPORT, GRADING, DUTY, WARNING)
}
LISTS: Final = {  # tables that people list, by what such a list is called
    "activities": "activity",
    "points": "point",
    "findings": "finding",
    "alerts": "alert",
    "incidents": "incident",
    "assets": "asset",
    "coverage": "coverage",
    "audit": "audit",
}


@cache
def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow (and Parquet) schema of a table; dates are nanoseconds UTC."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {
        "keyword": pa.string(),
        "text": pa.string(),
        "ip": pa.string(),
        "json": pa.string(),
        "long": pa.int64(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "date": pa.timestamp("ns", tz="UTC"),
    }
    return pa.schema([pa.field(f.name, pa.list_(types[f.type]) if f.many else types[f.type]) for f in table.fields])


def pandas_types(table: Table) -> dict[str, pd.ArrowDtype]:
    """The pandas type of each column: Arrow-backed, so that absent stays absent."""
    import pandas as pd

    fields = cast("list[Any]", list(arrow_schema(table)))  # Arrow's stubs do not know the type of a schema's field
    return {field.name: pd.ArrowDtype(field.type) for field in fields}


def arrow_table(table: Table, columns: Mapping[str, Any], rows: int) -> pa.Table:
    """A table of these columns (arrays or sequences of `rows` items) with the schema's types; columns that are not given are absent."""
    import pyarrow as pa

    schema: Any = arrow_schema(table)
    array: Any = pa.array
    nothing: Any = pa.nulls
    given = {field.name: array(columns[field.name], field.type) if field.name in columns else nothing(rows, field.type) for field in schema}
    return pa.table(given, schema=schema)
