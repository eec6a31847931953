// Operations by access or protocol on a logarithmic scale; a tick where the same span was a week earlier, if that week was seen.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, data.keyWas ? "access" : "access alone")
  root.append(heading(data.title, data.note))
  const most = Math.max(10, ...data.rows.map(row => Math.max(row.now, row.was ?? 0))), place = count => count > 0 ? Math.max(1.5, Math.log10(count + 1) / Math.log10(most + 1) * 100) : 0
  for (const row of data.rows) {
    const track = el("span", "track"), bar = el("i")
    const colour = row.access ? accessColour(root, row.access) : "var(--st-gray-color)"
    bar.style.cssText = `width:${place(row.now)}%;background:${colour}`
    if (row.access === "unknown") bar.style.cssText += ";outline:1px solid var(--st-gray-text-color);outline-offset:-1px"
    track.append(bar)
    if (row.was != null) { const tick = el("u"); tick.style.left = place(row.was) + "%"; track.append(tick) }
    root.append(el("div", "row", null, el("span", "name", row.name), track, el("span", "number", row.nowText), el("span", "number muted", row.wasText), el("span", "small " + (row.strange ? "strange" : "muted"), row.change)))
  }
  if (!data.rows.length) root.append(el("p", "row muted small none", data.empty))
  else root.append(el("div", "key muted small", null, ...(data.keyWas ? [el("i"), el("span", "", data.keyNow), el("u"), el("span", "", data.keyWas)] : []), el("span", "", data.keyScale)))
}
