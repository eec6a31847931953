// Each sensor in a line: its state by mark and word, its traffic over the period (hatched where it saw nothing), what it dropped, its grade, its rate, its last packet.
const MARKS = { seeing: "✓", gaps: "!", blind: "×", capture: "•" }
const WIDE = 120, TALL = 24

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "sensors")
  root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  const head = el("tr", "", null, ...data.head.map((word, at) => el("th", at > 2 ? "number" : "", word)))
  const body = data.rows.map(row => el("tr", row.state, null,
    el("td", "state", null, el("b", "", MARKS[row.state]), el("span", "", row.word)), el("td", "name", null, phrase("b", "", row.name), el("small", row.silent ? "" : "muted", row.last)), el("td", "", null, line(row)),
    el("td", "number", row.dropped), el("td", "number", row.share), el("td", "number muted", row.rate)))
  root.append(el("div", "scroll", null, el("table", "", null, el("thead", "", null, head), el("tbody", "", null, ...body))))
}

function line(row) {
  const made = svg("svg", { viewBox: `0 0 ${WIDE} ${TALL}`, width: WIDE, height: TALL, "aria-hidden": "true" }), scale = timeScale(row.since, row.until, 0, WIDE), { x } = scale
  const most = Math.max(1, ...row.points.map(([, bytes]) => bytes)), y = bytes => TALL - 1 - bytes / most * (TALL - 4)
  made.append(hatching())
  let run = []
  const flush = () => {
    if (run.length) made.append(svg("path", { class: "area", d: `M${run[0][0]} ${TALL}${run.map(([at, high]) => `L${at} ${high}`).join("")}L${run.at(-1)[0]} ${TALL}Z` }), svg("path", { class: "line", d: "M" + run.map(each => each.join(" ")).join("L") }))
    run = []
  }
  let end = null
  for (const [time, bytes] of row.points) {
    if (end !== null && time > end) flush()
    const from = Math.max(0, x(time)), to = Math.min(WIDE, Math.max(from + 1.5, x(time + row.interval)))
    run.push([from, y(bytes)], [to, y(bytes)])
    end = time + row.interval
  }
  flush()
  made.append(...blindMarks(row.gaps.map(([since, until]) => ({ since, until })), scale, 0, TALL))
  return made
}
