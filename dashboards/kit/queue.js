// The list of alerts. A row is a real link (new tab, copy address); a plain click opens it in this session. Boxes choose rows.
let stood = null // the row that had the focus last: the list is drawn anew with each choice, and one goes on from there
const stand = event => { const row = event.target.closest(".row"); stood = row?.dataset.id ? { id: row.dataset.id, box: event.target.type === "checkbox" } : null }

export default function ({ data, parentElement, setTriggerValue, setStateValue }) {
  const root = blank(parentElement, "queue"), chosen = new Set(data.chosen), boxes = []
  const tell = () => { for (const box of boxes) box.checked = chosen.has(box.value); all.checked = chosen.size === data.rows.length; all.indeterminate = chosen.size > 0 && !all.checked; setStateValue("chosen", [...chosen]) }
  const all = box(data.chooseAll, () => { for (const alert of data.rows) all.checked ? chosen.add(alert.id) : chosen.delete(alert.id); tell() })
  all.checked = data.rows.length > 0 && chosen.size === data.rows.length
  root.append(el("div", "row head", null, all, ...data.head.map((word, at) => el("span", at === 1 ? "number" : "", word))))
  for (const alert of data.rows) {
    const link = phrase("a", "title", alert.title), open = event => { if (event.metaKey || event.ctrlKey || event.shiftKey) return; event.preventDefault(); event.stopPropagation(); setTriggerValue("open", alert.href) }
    link.href = alert.href
    link.onclick = open
    const choose = box(data.choose, () => { choose.checked ? chosen.add(alert.id) : chosen.delete(alert.id); tell() })
    choose.value = alert.id
    choose.checked = chosen.has(alert.id)
    boxes.push(choose)
    const state = el("span", "state", null, el("i", "dot is-" + alert.status), el("span", "cut", null, alert.statusWord, alert.assignee ? el("span", "muted who", alert.assignee) : null))
    const row = el("div", "row", null, choose, severityTag(alert.severity, alert.word), el("b", "number", alert.score), el("div", "main", null, el("div", "first", null, link, alert.fresh ? el("span", "fresh", alert.fresh) : null), el("div", "muted small reason", alert.reason)), phrase("span", "cut", alert.asset), el("span", "mono muted coded", null, el("span", "", alert.technique), el("span", "", alert.short)), el("span", "muted number", alert.count), state, el("span", "when", null, el("span", "", alert.time), el("span", "muted small", alert.day)))
    row.dataset.id = alert.id
    row.onclick = open
    root.append(row)
  }
  root.addEventListener("focusin", stand)
  if (stood && document.activeElement === document.body) [...root.children].find(row => row.dataset.id === stood.id)?.querySelector(stood.box ? "input" : "a").focus({ preventScroll: true })
}

function box(label, changed) {
  const made = el("input")
  made.type = "checkbox"
  made.ariaLabel = label
  made.onclick = event => event.stopPropagation()
  made.onchange = changed
  return made
}
