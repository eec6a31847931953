// The list of alerts. A row is a real link (new tab, copy address); a plain click opens it in this session.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "queue")
  root.append(el("div", "row head", null, ...data.head.map((word, at) => el("span", at === 1 ? "number" : "", word))))
  for (const alert of data.rows) {
    const link = phrase("a", "title", alert.title), open = event => { if (event.metaKey || event.ctrlKey || event.shiftKey) return; event.preventDefault(); event.stopPropagation(); setTriggerValue("open", alert.id) }
    link.href = alert.href
    link.onclick = open
    const row = el("div", "row", null, severityTag(alert.severity, alert.word), el("b", "number", alert.score), el("div", "main", null, link, el("div", "muted small reason", alert.reason)), phrase("span", "cut", alert.asset), el("span", "mono muted", alert.technique), el("span", "muted number", alert.count), el("span", "state", null, el("i", "dot is-" + alert.status), el("span", "", alert.statusWord)), el("span", "when", null, el("span", "", alert.time), el("span", "muted small", alert.day)))
    row.onclick = open
    root.append(row)
  }
}
