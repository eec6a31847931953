// Packets to choose from: those that a finding names are marked. Arrow keys and a click choose.
export default function ({ data, parentElement, setStateValue }) {
  const root = blank(parentElement, "packets"), list = el("div"), rows = []
  list.setAttribute("role", "listbox")
  list.ariaLabel = data.title
  root.append(heading(data.title, data.note))
  const box = el("div", "list", null, el("div", "row head muted small", null, ...data.head.map((word, at) => el("span", at === 1 || at === 6 ? "number" : "", word))), list)
  const choose = at => {
    const row = rows[at]
    if (!row || at === chosen) return
    mark(at)
    row.focus()
    setStateValue("chosen", data.rows[at].id)
  }
  const mark = at => {
    rows.forEach((row, place) => { row.ariaSelected = place === at; row.tabIndex = place === at ? 0 : -1 })
    chosen = at
  }
  let chosen = -1
  data.rows.forEach((packet, at) => {
    const mark = el("i", packet.named ? "named" : "near")
    mark.title = packet.named ? data.named : data.near
    const row = el("div", "row", null, mark, el("span", "number mono", packet.number), el("span", "mono", packet.time), phrase("span", "cut", packet.from), phrase("span", "cut", packet.to), phrase("span", packet.what ? "cut" : "cut muted", packet.what || packet.kind), el("span", "number muted", packet.size))
    row.title = packet.file
    row.setAttribute("role", "option")
    row.onclick = () => choose(at)
    rows.push(row)
    list.append(row)
  })
  list.onkeydown = event => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key]
    if (!step) return
    event.preventDefault()
    choose(Math.max(0, Math.min(rows.length - 1, chosen + step)))
  }
  root.append(box)
  mark(Math.max(0, data.rows.findIndex(packet => packet.id === data.chosen)))
  if (rows[chosen]) box.scrollTop = Math.max(0, rows[chosen].offsetTop - 4 * rows[chosen].offsetHeight)
}
