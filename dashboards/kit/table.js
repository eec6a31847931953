// A plain table. A cell is a text, or {text, access} for an access with its square, {text, href} for a link, or {text, kind} with kind mono, number or muted.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "table")
  root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  const head = el("tr", "", null, ...data.head.map((word, at) => el("th", data.rows[0][at]?.kind ?? "", word)))
  const body = data.rows.map(row => el("tr", "", null, ...row.map(cell => typeof cell === "string" ? phrase("td", "", cell) : cell.href ? el("td", cell.kind, null, link(cell)) : cell.access ? el("td", "access", null, square(root, cell.access), cell.text) : phrase("td", cell.kind, cell.text))))
  root.append(el("div", data.low ? "scroll low" : "scroll", null, el("table", data.narrow ? "narrow" : "", null, el("thead", "", null, head), el("tbody", "", null, ...body))))
}

function link(cell) {
  const made = phrase("a", "", cell.text)
  made.href = cell.href
  return made
}

function square(root, access) {
  const mark = el("i")
  mark.style.background = accessColour(root, access)
  if (access === "unknown") mark.style.outline = "1px solid var(--st-gray-text-color)"
  return mark
}
