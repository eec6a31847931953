// Shared by every component. Text enters the page by textContent only: stored text can never become HTML.
const SVG = "http://www.w3.org/2000/svg"
const COLOURS = { critical: "red", high: "orange", medium: "yellow", low: "blue", none: "gray" }
const SHAPES = { critical: "M7 .5 12.600 3.700v6.600L7 13.500 1.400 10.300V3.700Z", high: "M7 1l6.500 12H.5Z", medium: "M7 .3 13.700 7 7 13.700.3 7Z", low: "M7 1.200a5.800 5.800 0 1 0 .001 0Z", none: "M7 3.500a3.500 3.500 0 1 0 .001 0Z" }
const fill = severity => `var(--st-${COLOURS[severity]}-color)`
const ink = severity => `var(--st-${COLOURS[severity]}-text-color)`
const tint = severity => `var(--st-${COLOURS[severity]}-background-color)`

function el(tag, name, text, ...children) {
  const element = document.createElement(tag)
  if (name) element.className = name
  if (text != null) element.textContent = text
  element.append(...children.filter(child => child != null))
  return element
}

function svg(tag, attributes = {}, text) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  if (text != null) element.textContent = text
  return element
}

function glyph(severity, size = 12) {
  const mark = svg("svg", { viewBox: "-1 -1 16 16", width: size, height: size, "aria-hidden": "true", class: "glyph" })
  mark.append(svg("path", { d: SHAPES[severity], style: `fill:${fill(severity)};stroke:${ink(severity)};stroke-width:1` }))
  return mark
}

function severityTag(severity, word) {
  const tag = el("span", "severity", null, glyph(severity), el("span", "", word))
  tag.style.color = ink(severity)
  return tag
}

// A bar a day, as high as its worst severity; a day on which nobody looked is hatched, one without anything a line. Whether it rises or falls is an arrow with words.
const RISEN = { critical: 1, high: .78, medium: .56, low: .34, "": 0, "?": 1 }
const POINTED = { up: "↗", down: "↘", same: "→" }
function spark(trend, wide, high, brief = false) {
  const made = svg("svg", { width: wide * trend.days.length, height: high + 1, role: "img", "aria-label": trend.words, class: "spark" })
  if (trend.days.some(day => day.level === "?")) made.append(hatching())
  trend.days.forEach((day, at) => {
    const tall = Math.max(1, Math.round(RISEN[day.level] * (high - 1))), style = day.level === "?" ? "fill:url(#blind)" : day.level ? `fill:${fill(day.level)};stroke:${ink(day.level)};stroke-width:.8` : "fill:var(--st-gray-color)"
    const bar = svg("rect", { x: at * wide + .5, y: high - tall + .5, width: day.level === "?" ? wide : wide - 2, height: tall, style }) // days nobody looked are one hatched span
    bar.append(svg("title", {}, day.text))
    made.append(bar)
  })
  const arrow = POINTED[trend.way] ?? ""
  return el("span", "trended", null, made, el("span", "muted small", brief ? arrow : `${arrow} ${trend.words}`.trim()))
}

// Names such as PLC-7 never break at their hyphen.
function phrase(tag, name, text) {
  const element = el(tag, name)
  String(text).split(/([A-Z][A-Z\d]*(?:-[A-Z\d]+)+)/).forEach((part, at) => element.append(at % 2 ? el("span", "name", part) : part))
  return element
}

// A link to another page: a new tab where one is asked for, else this session goes there.
function anchor(name, text, href, setTriggerValue) {
  const link = phrase("a", name ? name + " go" : "go", text)
  link.href = href
  link.onclick = event => { if (event.metaKey || event.ctrlKey || event.shiftKey) return; event.preventDefault(); event.stopPropagation(); setTriggerValue("open", href) }
  return link
}

const heading = (title, note) => el("h3", "", title, note ? el("span", "", note) : null)

// What is chosen stands in the address without another run of the page: the next one finds it there.
function addressed(name, value) {
  const address = new URL(location.href)
  value ? address.searchParams.set(name, value) : address.searchParams.delete(name)
  history.replaceState(history.state, "", address)
}

// The order of the theme's categorical colours.
const ACCESS = { read: 0, report: 0, identify: 1, session: 1, diagnose: 1, write: 2, command: 3, program: 4, configure: 5, file: 5, time: 5 }
function accessColour(node, access) {
  const colours = getComputedStyle(node).getPropertyValue("--st-chart-categorical-colors").split(",")
  return (colours[ACCESS[access]] ?? "transparent").trim()
}

// Components run again with new data and with every change of theme: draw into one root, from nothing.
function blank(parent, name) {
  let root = [...parent.children].find(child => child.classList.contains("bf"))
  if (!root) parent.append(root = el("div"))
  root.className = "bf " + name
  root.replaceChildren()
  return root
}

// Charts over time. A scale has left, right, since, until (ms) and turns a time into a place and back; a drag on `target` chooses a span of time.
function timeScale(since, until, left, right) {
  const wide = Math.max(1, right - left), long = Math.max(1, until - since)
  return { left, right, x: time => left + (time - since) / long * wide, back: place => since + (Math.min(right, Math.max(left, place)) - left) / wide * long }
}

// What was not seen, each time as wide as it was long: hatched where there is room for it, else a thin line. A lone one is `least` wide, those that lie close
// leave two thirds to what was seen between them.
function blindMarks(gaps, { x, left, right }, y, height, least = 1.5) {
  const starts = gaps.map(gap => x(gap.since))
  return gaps.map((gap, at) => {
    const from = Math.max(left, starts[at]), near = Math.min(starts[at + 1] ?? Infinity, right + 3 * least) - starts[at], behind = starts[at] - (starts[at - 1] ?? -Infinity)
    const wide = Math.max(Math.min(right, x(gap.until)) - from, Math.min(least, near / 3, behind / 3)), thin = wide < 4, edge = thin ? 0 : .5
    const mark = svg("rect", { x: Math.min(from, right - wide) + edge, y: y + edge, width: wide - 2 * edge, height: height - 2 * edge, class: thin ? "blind thin" : "blind" })
    if (gap.text) mark.append(svg("title", {}, gap.text))
    return mark
  })
}

// What was seen for a moment only must not vanish between long times in which it was not; nor may it cover them.
function momentMarks(gaps, { x, left, right }, y, height) {
  const long = gap => gap ? x(gap.until) - x(gap.since) : Infinity
  return [...gaps, null].flatMap((after, at) => {
    const before = gaps[at - 1], from = before ? x(before.until) : left, to = after ? x(after.since) : right, wide = Math.min(4, long(before) / 3, long(after) / 3)
    if (to <= from || to - from >= wide) return []
    return [svg("rect", { x: Math.max(left, Math.min((from + to - wide) / 2, right - wide)), y, width: wide, height, class: "moment" })]
  })
}

// [mark, place] of the time axis whose words have room between those of their neighbours.
function roomy(ticks, scale) {
  let free = scale.left - 20
  return ticks.map(tick => [tick, scale.x(tick.time)]).filter(([, x]) => {
    if (x < free || x > scale.right - 16) return false
    free = x + 56
    return true
  })
}

const tickText = (tick, x, y) => svg("text", { x, y, class: tick.day ? "middle day" : "middle" }, tick.text)

function brushing(target, scale, top, height, done) {
  const mark = el("div", "brush")
  mark.hidden = true
  target.append(mark)
  let from = null
  const place = event => event.clientX - target.getBoundingClientRect().left
  target.addEventListener("pointerdown", event => { if (event.button === 0 && !event.target.closest("a") && place(event) >= scale().left) { from = place(event); event.preventDefault() } })
  const move = event => {
    if (from === null) return
    const to = Math.min(scale().right, Math.max(scale().left, place(event)))
    mark.hidden = Math.abs(to - from) < 4
    mark.style.cssText = `left:${Math.min(from, to)}px;width:${Math.abs(to - from)}px;top:${top}px;height:${height()}px`
  }
  const up = event => {
    if (from !== null && Math.abs(place(event) - from) > 5) done([from, place(event)].sort((a, b) => a - b).map(each => Math.round(scale().back(each))))
    from = null
    mark.hidden = true
  }
  window.addEventListener("pointermove", move)
  window.addEventListener("pointerup", up)
  return () => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", up) }
}

// A time (ms) as the plant's clock shows it.
const clockText = (time, offset) => new Date(time + offset).toISOString().slice(11, 19)

function accessColours(node) {
  return Object.fromEntries([...Object.keys(ACCESS), "unknown"].map(access => [access, accessColour(node, access)]))
}

// What was not seen is hatched: the definition of `url(#blind)`.
function hatching() {
  const pattern = svg("pattern", { id: "blind", width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" }), made = svg("defs")
  pattern.append(svg("rect", { width: 5, height: 5, style: "fill:var(--st-background-color)" }), svg("rect", { width: 1.4, height: 5, style: "fill:var(--st-gray-text-color)" }))
  made.append(pattern)
  return made
}
