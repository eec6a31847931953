// What was not seen: a figure and what it counts, a line each.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "unseen")
  root.append(heading(data.title, data.note))
  for (const [figure, text] of data.rows) root.append(el("div", "row", null, el("b", "number", figure), el("span", "muted", text)))
}
