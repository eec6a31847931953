// What a number would do at other values: a column a value, the one in force marked, the chosen one filled; what would be lost stands above its column. A click or Enter chooses.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "curve"), columns = el("div", "columns")
  root.append(heading(data.title, data.note))
  for (const each of data.columns) {
    const bar = el("i"), made = el("button", (each.chosen ? "chosen " : "") + (each.now ? "now" : ""))
    bar.style.height = `${Math.max(each.chosen ? 4 : each.share ? 2 : 0, Math.round(each.share * 132))}px`
    made.type = "button"
    made.setAttribute("aria-pressed", String(Boolean(each.chosen)))
    made.setAttribute("aria-label", [each.value, each.text, each.now, each.lostWords].filter(Boolean).join(", "))
    made.append(el("span", "lost", null, ...(each.lost ? [glyph("critical", 11), el("b", "", each.lost)] : [])), el("b", "text", each.text), bar, el("span", "value", each.value), el("small", "muted", each.now))
    made.onclick = () => setTriggerValue("value", each.value)
    columns.append(made)
  }
  root.append(columns)
  if (data.words) root.append(el("p", "key muted small", null, glyph("critical", 11), el("span", "", data.words)))
}
