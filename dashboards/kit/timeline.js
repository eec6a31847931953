// Alerts over time as bars by severity, and beneath on the same axis a ribbon a sensor: a neutral bar where it saw packets, hatched where it saw none.
const RIGHT = 6, HEIGHT = 164, ROW = 17
const ORDER = ["critical", "high", "medium", "low"]

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "timeline")
  const legend = el("div", "legend muted", null, ...ORDER.map(severity => el("span", "", null, glyph(severity), data.words[severity])))
  const chart = el("div", "chart"), seen = el("div", "chart")
  root.append(el("div", "top", null, heading(data.title, data.note), legend), chart, el("div", "top", null, heading(data.coverageTitle, data.coverageNote)), seen)
  const draw = () => {
    const width = root.clientWidth
    if (!width) return
    chart.replaceChildren(bars(data, width))
    seen.replaceChildren(ribbons(data, width))
  }
  const watch = new ResizeObserver(draw)
  watch.observe(root)
  draw()
  return () => watch.disconnect()
}

const left = data => Math.min(150, Math.max(40, 16 + 7 * Math.max(0, ...data.sensors.map(sensor => sensor.name.length))))

const scaled = (data, width) => timeScale(data.since, data.until, left(data), width - RIGHT)

function bars(data, width) {
  const picture = svg("svg", { width, height: HEIGHT + 34, role: "img", "aria-label": data.title }), scale = scaled(data, width), { x, left: LEFT } = scale
  const most = Math.max(3, ...data.bars.map(bar => ORDER.reduce((sum, severity) => sum + bar[severity], 0)))
  const step = Math.max(1, Math.ceil(most / 3)), top = Math.ceil(most / step) * step, y = count => HEIGHT + 8 - count / top * HEIGHT
  for (let count = 0; count <= top; count += step) picture.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(count), y2: y(count), class: count ? "grid" : "ground" }), svg("text", { x: LEFT - 8, y: y(count) + 4, class: "end" }, count))
  for (const [tick, at] of roomy(data.ticks, scale)) picture.append(tickText(tick, at, HEIGHT + 27))
  for (const bar of data.bars) {
    const from = x(Math.max(bar.time, data.since)), to = x(Math.min(bar.time + data.interval, data.until)), wide = Math.max(3, (to - from) * .74)
    const middle = Math.min(Math.max((from + to) / 2, LEFT + wide / 2), width - RIGHT - wide / 2)
    const group = svg("g")
    group.append(svg("title", {}, bar.text))
    let base = 0
    for (const severity of ORDER) {
      if (!bar[severity]) continue
      const edge = severity === "medium" || severity === "high" ? `stroke:${ink(severity)};stroke-width:.8` : ""
      group.append(svg("rect", { x: middle - wide / 2, width: wide, y: y(base + bar[severity]), height: y(base) - y(base + bar[severity]), style: `fill:${fill(severity)};${edge}` }))
      base += bar[severity]
    }
    picture.append(group)
  }
  if (data.began) picture.append(...beginning(data.began, x(data.began.time), LEFT, width))
  if (!data.bars.length) picture.append(svg("text", { x: (LEFT + width) / 2, y: HEIGHT / 2 + 10, class: "middle" }, data.empty))
  return picture
}

// Where what the page says first began.
function beginning(began, at, left, width) {
  const late = at > (left + width) / 2, text = began.text.length > 48 ? began.text.slice(0, 47) + "…" : began.text
  return [svg("line", { x1: at, x2: at, y1: 0, y2: HEIGHT + 8, class: "began" }), svg("text", { x: at + (late ? -6 : 6), y: 10, class: late ? "began end" : "began" }, text)]
}

function ribbons(data, width) {
  const picture = svg("svg", { width, height: data.sensors.length * ROW + 4, role: "img", "aria-label": data.coverageTitle }), scale = scaled(data, width), { left: LEFT } = scale
  picture.append(hatching())
  data.sensors.forEach((sensor, row) => {
    const y = row * ROW + 2, name = sensor.name.length > 19 ? sensor.name.slice(0, 18) + "…" : sensor.name
    const label = svg("text", { x: LEFT - 8, y: y + 10.5, class: "end" }, name)
    label.append(svg("title", {}, sensor.name))
    picture.append(label, svg("rect", { x: LEFT, y, width: Math.max(0, width - LEFT - RIGHT), height: 13, class: "seen" }))
    picture.append(...blindMarks(sensor.blind, scale, y, 13), ...momentMarks(sensor.blind, scale, y, 13))
  })
  return picture
}
