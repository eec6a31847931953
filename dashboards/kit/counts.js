// Values of a field with the operations that have them; a click narrows the search to one.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "counts"), most = Math.max(1, ...data.rows.map(row => row.count))
  for (const row of data.rows) {
    const bar = el("i")
    bar.style.width = Math.max(1, row.count / most * 100) + "%"
    root.append(el("div", "row", null, anchor("value", row.text, row.href, setTriggerValue), el("span", "track", null, bar), el("span", "number muted small", row.number)))
  }
  if (!data.rows.length) root.append(el("p", "muted small", data.empty))
}
