// The wall screen: always dark, sized by the window; its lower half turns between alerts over time, the worst of them, and the sensors.
const TONES = { critical: "#e5484d", high: "#f7a054", medium: "#f8e37e", low: "#62a4e8", none: "#a2adb4" }
const GROUND = "#12171b", INK = "#e6eaec", SOFT = "#a2adb4", SEEN = "#3c474e"
const ORDER = ["critical", "high", "medium", "low"]
const TURN = 15000

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "wall"), faces = [el("section", "face"), el("section", "face"), el("section", "face")]
  root.style.setProperty("--tone", TONES[data.level])
  const say = el("section", "say", null, el("div", "tag", null, mark(data.level, ".9em"), el("span", "", data.tag)), phrase("h1", "", data.sentence))
  if (!data.figures) return say.append(phrase("p", "", data.reason)), root.append(say) // there is nothing to show, and why
  root.append(
    el("header", "", null, el("span", "site", data.site), el("span", "age", data.age), el("b", "clock", data.clock)),
    say,
    el("section", "figures", null, ...data.figures.map(figure)),
    ...faces,
    el("footer", "", null, ...faces.map(() => el("i")), el("span", "", data.foot)),
  )
  faces[1].append(...data.list.map(alert => el("div", "alert", null, mark(alert.level, ".8em"), el("span", "when", alert.time), phrase("span", "title", alert.text), el("span", "asset", alert.asset))))
  faces[2].append(el("div", "sensor muted", null, ...data.health.head.map(word => el("span", "", word))))
  faces[2].append(...data.health.rows.map(([name, last, dropped, share, silent]) => el("div", silent ? "sensor silent" : "sensor", null, ...[name, last, dropped, share].map(text => phrase("span", "", text)))))
  const turns = data.list.length ? [0, 1, 2] : [0, 2]
  const dots = root.querySelectorAll("footer i"), draw = () => faces[0].replaceChildren(levels(data.time.words), chart(data.time, root.clientWidth * .958, root.clientHeight * .385))
  const show = () => {
    const face = turns[Math.floor(Date.now() / TURN) % turns.length] // the clock decides, so that new data does not turn it back
    faces.forEach((each, place) => each.classList.toggle("off", place !== face))
    dots.forEach((dot, place) => dot.classList.toggle("on", place === face))
  }
  const watch = new ResizeObserver(draw), timer = setInterval(show, 500)
  watch.observe(root)
  draw()
  show()
  return () => { watch.disconnect(); clearInterval(timer) }
}

function mark(severity, size) {
  const made = svg("svg", { viewBox: "-1 -1 16 16", class: "glyph", style: `width:${size};height:${size}`, "aria-hidden": "true" })
  made.append(svg("path", { d: SHAPES[severity], fill: TONES[severity] }))
  return made
}

// Above the word that says that these bars are alerts: which of them is which.
const levels = words => el("div", "levels", null, ...ORDER.map(level => el("span", "", null, mark(level, ".9em"), el("span", "", words[level]))))

function figure(each) {
  const value = el("div", "value", null, each.mark ? mark(each.mark, "2.3vw") : null, el("b", "", each.value), each.unit ? el("small", "", each.unit) : null)
  return el("div", each.quiet ? "figure quiet" : "figure", null, value, el("span", "", each.text))
}

function chart(data, width, height) {
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": data.title }), pattern = svg("pattern", { id: "wallblind", width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }), definitions = svg("defs")
  pattern.append(svg("rect", { width: 7, height: 7, fill: GROUND }), svg("rect", { width: 2.4, height: 7, fill: INK }))
  definitions.append(pattern)
  const row = Math.min(13, height * .16 / Math.max(1, data.sensors.length)), letter = width * .0125
  const left = width * .082, right = width - 8, ground = height - data.sensors.length * row - 3.4 * letter, scale = timeScale(data.since, data.until, left, right)
  const most = Math.max(2, ...data.bars.map(bar => ORDER.reduce((sum, severity) => sum + bar[severity], 0))), high = count => count / most * (ground - 14)
  picture.append(definitions, svg("line", { x1: left, x2: right, y1: ground + 1, y2: ground + 1, stroke: SOFT }), svg("text", { x: 0, y: ground - 4 }, data.alerts), svg("text", { x: 0, y: ground + 3.2 * letter }, data.coverage))
  for (const bar of data.bars) {
    const from = scale.x(Math.max(bar.time, data.since)), wide = Math.max(4, (scale.x(Math.min(bar.time + data.interval, data.until)) - from) * .72)
    let base = 0
    for (const severity of ORDER) if (bar[severity]) {
      base += bar[severity]
      picture.append(svg("rect", { x: Math.min(from, right - wide), width: wide, y: ground - high(base), height: Math.max(1, high(bar[severity]) - 1.5), fill: TONES[severity] }))
    }
  }
  if (!data.bars.length) picture.append(svg("text", { x: (left + right) / 2, y: ground / 2, class: "middle" }, data.empty))
  let free = left
  for (const tick of data.ticks) {
    const x = scale.x(tick.time)
    if (x < free || x > right - 3 * letter) continue
    free = x + 7 * letter
    picture.append(svg("text", { x, y: ground + 1.6 * letter, class: "middle" }, tick.text))
  }
  data.sensors.forEach((sensor, place) => {
    const y = ground + 2.3 * letter + place * row
    picture.append(svg("rect", { x: left, y, width: right - left, height: row - 3, fill: SEEN }))
    picture.append(...blindMarks(sensor.blind, scale, y, row - 3, 2))
  })
  return picture
}
