// Blind spots, worst first: about how much each takes, what is not seen, and what to do about it.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "spots")
  root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  for (const spot of data.rows) {
    const bar = el("i")
    bar.style.width = Math.max(3, Math.min(100, spot.weight)) + "%"
    root.append(el("div", "row", null, el("span", "weight", null, bar), el("div", "", null, phrase("p", "", spot.what), el("p", "muted small", spot.todo))))
  }
}
