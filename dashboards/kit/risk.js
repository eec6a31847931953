// Assets with open alerts, worst first; a bar a day tells how each came there.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "risk")
  root.append(heading(data.title, data.note))
  for (const asset of data.rows) {
    const bar = el("i")
    bar.style.cssText = `width:${asset.score}%;background:${fill(asset.severity)};outline:1px solid ${ink(asset.severity)};outline-offset:-1px`
    root.append(el("div", "row", null, glyph(asset.severity, 13), el("span", "who", null, el("b", "", null, asset.href ? anchor("", asset.name, asset.href, setTriggerValue) : phrase("span", "", asset.name)), el("span", "muted small", asset.role)), spark(asset.trend, 4, 18, true), el("span", "track", null, bar), el("b", "number", asset.score), el("span", "muted small number", asset.alerts)))
  }
  if (!data.rows.length) root.append(el("p", "row muted small none", data.empty))
}
