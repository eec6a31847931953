// What a list can be narrowed to, with how many rows each value leaves; a click chooses a value, or lets go of it.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "facets")
  for (const group of data.groups.filter(each => each.rows.length)) {
    const most = Math.max(1, ...group.rows.map(row => row.count))
    root.append(heading(group.title), ...group.rows.map(row => {
      const bar = el("i"), name = el("span", "value", null, row.severity ? glyph(row.severity, 12) : null, row.text)
      bar.style.width = row.count / most * 100 + "%"
      const made = el("button", row.chosen ? "row chosen" : "row", null, name, el("span", "track", null, bar), el("span", "number small", row.number))
      made.type = "button"
      made.setAttribute("aria-pressed", String(row.chosen))
      made.onclick = () => setTriggerValue("pick", [group.name, row.value])
      return made
    }))
  }
}
