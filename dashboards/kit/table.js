// A plain table. A cell is a text, or {text} with any of: trend (days of risk), access (its square before it), severity (its glyph before it), href (a link), sub (a second line), kind (mono, number, muted), bar (a share, 0–1, drawn before it).
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "table")
  if (data.title) root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  const head = el("tr", "", null, ...data.head.map((word, at) => el("th", data.rows[0][at]?.kind ?? "", word)))
  const body = data.rows.map(row => el("tr", "", null, ...row.map(each => cell(root, each, setTriggerValue))))
  if (data.ids) choosing(body, data)
  const scroll = el("div", data.low ? "scroll low" : "scroll", null, el("table", data.narrow ? "narrow" : "", null, el("thead", "", null, head), el("tbody", "", null, ...body)))
  root.append(scroll)
  requestAnimationFrame(() => { if (scroll.scrollHeight > scroll.clientHeight || scroll.scrollWidth > scroll.clientWidth) scroll.tabIndex = 0 }) // by keys, too
}

// A row may be chosen, by a click beside its links: so it can be shown to somebody else.
function choosing(rows, data) {
  const chosen = new Set(data.chosen)
  const show = () => rows.forEach((row, at) => chosen.has(data.ids[at]) ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current"))
  rows.forEach((row, at) => {
    row.dataset.id = data.ids[at]
    row.onclick = event => {
      if (event.target.closest("a") || !getSelection().isCollapsed) return
      chosen.delete(data.ids[at]) || chosen.size >= data.most || chosen.add(data.ids[at])
      show()
      addressed("chosen", [...chosen].join(","))
    }
  })
  show()
  const first = rows.find(row => row.ariaCurrent)
  if (first) requestAnimationFrame(() => first.scrollIntoView({ block: "nearest" }))
}

function cell(root, each, setTriggerValue) {
  if (typeof each === "string") return phrase("td", "", each)
  if (each.trend) return el("td", "", null, each.trend.way === "none" ? null : spark(each.trend, 6, 12))
  const made = el("td", each.kind ?? (each.access ? "access" : ""))
  if (each.access) made.append(square(root, each.access))
  if (each.severity) made.append(glyph(each.severity, 12))
  if (each.bar != null) made.append(bar(each.bar))
  made.append(each.href ? anchor("", each.text, each.href, setTriggerValue) : phrase("span", "", each.text))
  if (each.sub) made.append(phrase("small", "muted", each.sub))
  return made
}

function bar(share) {
  const made = el("b")
  made.style.width = `${Math.max(share ? 1 : 0, Math.round(share * 160))}px`
  return made
}

function square(root, access) {
  const mark = el("i")
  mark.style.background = accessColour(root, access)
  if (access === "unknown") mark.style.cssText += ";outline:1px solid var(--st-gray-text-color);outline-offset:-1px"
  return mark
}
