// A file with its line numbers; what the linter says stands beneath its line.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "source"), list = el("div", "lines mono")
  root.append(heading(data.title, data.note))
  data.lines.forEach((line, at) => {
    list.append(el("div", line.notes.length ? "line noted" : "line", null, el("span", "at muted", String(at + 1)), el("span", "text" + (/^\s*#/.test(line.text) ? " muted" : ""), null, ...parts(line.text))))
    for (const [kind, message, advice] of line.notes) list.append(el("div", "note", null, el("b", "", kind), el("span", "", message), el("span", "muted", advice)))
  })
  root.append(list)
}

// A key stands out of its value.
function parts(text) {
  const found = /^(\s*(?:- )?['"]?[\w.@|-]+['"]?:)(\s.*|)$/.exec(text)
  return found ? [el("b", "", found[1]), el("span", "", found[2])] : [el("span", "", text)]
}
