// A ribbon a place on one time axis: a neutral bar where it saw packets, hatched where it saw none; in the bar as a line the share that was understood.
const RIGHT = 76, ROW = 34, BAR = 22

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "ribbon"), chart = el("div", "chart")
  root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  root.append(chart)
  const draw = () => root.clientWidth && chart.replaceChildren(picture(data, root.clientWidth))
  const watch = new ResizeObserver(draw)
  watch.observe(root)
  draw()
  return () => watch.disconnect()
}

function picture(data, width) {
  const left = Math.min(220, Math.max(70, 18 + 7 * Math.max(...data.rows.map(row => row.name.length)))), height = data.rows.length * ROW
  const made = svg("svg", { width, height: height + 24, role: "img", "aria-label": data.title }), scale = timeScale(data.since, data.until, left, width - RIGHT)
  made.append(hatching())
  data.rows.forEach((row, place) => made.append(...ribbon(row, place * ROW + 4, scale, data)))
  for (const [tick, x] of roomy(data.ticks, scale)) made.append(tickText(tick, x, height + 18))
  return made
}

function ribbon(row, y, scale, data) {
  const { x, left, right } = scale, parts = [], fits = Math.floor((left - 14) / 7), label = svg("text", { x: left - 10, y: y + 15, class: "end" }, row.name.length > fits ? row.name.slice(0, fits - 1) + "…" : row.name)
  label.append(svg("title", {}, row.name))
  parts.push(label, svg("rect", { x: left, y, width: Math.max(0, right - left), height: BAR, class: "seen" }))
  parts.push(...blindMarks(row.blind, scale, y, BAR), ...momentMarks(row.blind, scale, y, BAR))
  for (const [time, share, text] of row.grades) {
    const from = Math.max(left, x(time)), to = Math.min(right, x(time + data.step)), at = y + 2 + (100 - share) / 100 * (BAR - 4)
    const mark = svg("line", { x1: from, x2: Math.max(from + 2, to), y1: at, y2: at, class: "share" })
    mark.append(svg("title", {}, text))
    parts.push(mark)
  }
  parts.push(svg("text", { x: right + 10, y: y + 15, class: "grade" }, row.grade))
  return parts
}
