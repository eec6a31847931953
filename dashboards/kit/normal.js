// Normal against now. Values: what a point was before (its range as a band), then what it became; who did the same: grey before, coloured now.
const HIGH = 176, LEFT = 46, RIGHT = 74, TOP = 14, FOOT = 26, SPLIT = .6

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "normal"), chart = el("div", "chart")
  root.append(heading(data.title, data.note))
  if (data.normal) root.append(el("p", "prose", null, el("b", "", data.normalTitle), " ", phrase("span", "", data.normal)))
  if (data.values) root.append(el("p", "muted small", data.values.title), chart)
  if (data.doers?.rows.length) root.append(el("p", "muted small", data.doers.title), doers(root, data.doers))
  for (const line of data.lines) root.append(el("p", "muted small", line))
  if (!data.values) return
  const draw = () => root.clientWidth && chart.replaceChildren(values(root, data.values, Math.min(root.clientWidth, 720)))
  const watch = new ResizeObserver(draw)
  watch.observe(root)
  draw()
  return () => watch.disconnect()
}

function doers(root, data) {
  const most = Math.max(1, ...data.rows.map(row => Math.max(row.before, row.now))), wide = count => count ? Math.max(2, 100 * Math.log1p(count) / Math.log1p(most)) : 0
  const list = el("div", "doers")
  list.append(el("span", ""), el("span", "muted small", data.before), el("span", "muted small", data.now))
  for (const row of data.rows) {
    const was = el("span", "bar was", null, el("i"), el("span", "", row.beforeText)), now = el("span", "bar", null, el("i"), el("b", "", row.nowText))
    was.firstChild.style.width = wide(row.before) * .7 + "%"
    now.firstChild.style.width = wide(row.now) * .7 + "%"
    now.firstChild.style.background = accessColour(root, data.access)
    if (data.access === "unknown" && row.now) now.firstChild.className = "outlined"
    if (!row.now) now.lastChild.className = "none"
    const name = phrase("span", row.now ? "who" : "who muted", row.name)
    name.title = row.address
    list.append(name, was, now)
  }
  return list
}

// Beside the chart stands what the band means; letters of Chinese are twice as wide.
function room(data, width) {
  const letters = data.before.length ? [...data.band].reduce((sum, letter) => sum + (letter > "\u2e80" ? 13 : 7), 14) : 0
  return Math.min(width / 2, Math.max(RIGHT, letters))
}

function values(root, data, width) {
  const all = [...data.before.flatMap(([, low, high]) => [low, high]), ...data.now.map(([, value]) => value)], steps = round(Math.min(...all), Math.max(...all))
  const low = steps[0], high = steps.at(-1), y = value => HIGH - FOOT - (value - low) / (high - low || 1) * (HIGH - TOP - FOOT), end = width - room(data, width), split = data.before.length ? LEFT + (end - LEFT) * SPLIT : LEFT
  const picture = svg("svg", { width, height: HIGH, role: "img", "aria-label": data.aria })
  for (const step of steps) picture.append(svg("line", { x1: LEFT, x2: end, y1: y(step), y2: y(step), class: "grid" }), svg("text", { x: LEFT - 8, y: y(step) + 4, class: "right" }, brief(step)))
  if (data.before.length) {
    const least = Math.min(...data.before.map(([, value]) => value)), most = Math.max(...data.before.map(([, , value]) => value)), tall = Math.max(3, y(least) - y(most))
    picture.append(svg("rect", { x: LEFT, y: (y(least) + y(most) - tall) / 2, width: end - LEFT, height: tall, class: "band" }), svg("text", { x: end + 7, y: (y(least) + y(most)) / 2 + 4 }, data.band))
    picture.append(svg("path", { d: line(data.before.map(([time, , , last]) => [time, last]), LEFT + 2, split - 6, y), class: "was" }), svg("line", { x1: split, x2: split, y1: TOP - 6, y2: HIGH - FOOT, class: "split" }))
    picture.append(svg("text", { x: (LEFT + split) / 2, y: HIGH - 7, class: "middle" }, data.was))
  }
  const across = time => { const from = data.now[0][0], to = data.now.at(-1)[0]; return to > from ? split + 14 + (time - from) / (to - from) * (end - split - 28) : (split + end) / 2 }
  const last = data.before.at(-1)?.[3]
  let path = last == null ? "" : `M${split} ${y(last)}`
  for (const [time, value] of data.now) path += `${path ? "H" : "M"}${across(time)}${path.startsWith("M") && path.length > 1 && path.includes(" ") ? "V" : " "}${y(value)}`
  picture.append(svg("path", { d: path + `H${end}`, class: "now" }))
  for (const [time, value, written] of data.now) if (written) picture.append(svg("rect", { x: across(time) - 4, y: y(value) - 4, width: 8, height: 8, style: `fill:${accessColour(root, data.access)};stroke:var(--st-background-color);stroke-width:1.5` }))
  const shown = data.now.filter(each => each[2]).at(-1)
  if (shown) {
    const at = across(shown[0]), near = at - split < 80 // the label keeps clear of the line between before and now
    picture.append(svg("text", { x: near ? at + 9 : at - 9, y: y(shown[1]) + (y(shown[1]) < 26 ? 18 : -8), class: near ? "big" : "big right" }, data.written))
  }
  picture.append(svg("text", { x: (split + end) / 2, y: HIGH - 7, class: "middle" }, data.is))
  return picture
}

function line(points, from, to, y) {
  const first = points[0][0], last = points.at(-1)[0]
  let path = ""
  for (const [time, value] of points) {
    const x = last > first ? from + (time - first) / (last - first) * (to - from) : from
    path += path ? `H${x}V${y(value)}` : `M${x} ${y(value)}`
  }
  return path + `H${to}`
}

// Round steps that hold both ends.
function round(low, high) {
  const span = high - low || Math.abs(high) || 1, raw = span / 4, power = 10 ** Math.floor(Math.log10(raw)), step = power * [1, 2, 5, 10].find(times => times * power >= raw)
  const first = Math.floor(low / step), steps = []
  for (let at = first; at <= Math.max(first + 1, Math.ceil(high / step)); at++) steps.push(at * step)
  return steps
}

const brief = value => Math.abs(value) >= 1e6 ? value.toExponential(1) : String(Number(value.toPrecision(6)))
