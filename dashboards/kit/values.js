// One point's values over time: the band between the lowest and the highest, the last value as a step that holds until the next; acts on it above, blind time hatched.
const HEIGHT = 300, TOP = 26, AXIS = 24, LEFT = 76, RIGHT = 12

export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "values"), colours = accessColours(root), wrap = el("div", "wrap"), chart = el("div"), tip = el("div", "tip")
  tip.hidden = true
  wrap.append(chart, tip)
  root.append(heading(data.title, data.note), wrap)
  let scale = timeScale(data.since, data.until, LEFT, LEFT + 1)
  const draw = () => {
    if (!wrap.clientWidth) return
    scale = timeScale(data.since, data.until, LEFT, wrap.clientWidth - RIGHT)
    chart.replaceChildren(picture(data, wrap.clientWidth, scale, colours))
  }
  wrap.onmousemove = event => {
    const place = event.clientX - wrap.getBoundingClientRect().left, time = scale.back(place), step = data.steps.findLast(each => each.time <= time)
    tip.hidden = !step || place < LEFT || event.buttons > 0
    if (tip.hidden) return
    tip.textContent = `${clockText(Math.min(time, step.end > time ? time : step.time), data.offset)}  ${step.text}`
    tip.style.left = Math.min(place + 12, wrap.clientWidth - 240) + "px"
    tip.style.top = event.clientY - wrap.getBoundingClientRect().top + 14 + "px"
  }
  wrap.onmouseleave = () => { tip.hidden = true }
  const release = brushing(wrap, () => scale, TOP, () => HEIGHT, span => setTriggerValue("span", span))
  const watch = new ResizeObserver(draw)
  watch.observe(wrap)
  draw()
  return () => { watch.disconnect(); release() }
}

function picture(data, width, scale, colours) {
  const made = svg("svg", { width, height: TOP + HEIGHT + AXIS, role: "img", "aria-label": data.title }), y = value => TOP + HEIGHT - (value - data.low) / (data.high - data.low) * HEIGHT
  for (const [value, text] of data.levels) made.append(svg("line", { x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value), class: "grid" }), svg("text", { x: LEFT - 8, y: y(value) + 4, class: "end" }, text))
  for (const [tick, x] of roomy(data.ticks, scale)) made.append(svg("line", { x1: x, x2: x, y1: TOP, y2: TOP + HEIGHT, class: "grid" }), tickText(tick, x, TOP + HEIGHT + 18))
  const ends = data.steps.map((step, at) => at + 1 < data.steps.length ? data.steps[at + 1].time : data.until)
  const band = data.steps.map((step, at) => step.high > step.low ? `M${scale.x(step.time)} ${y(step.high)}H${Math.max(scale.x(step.end), scale.x(step.time) + 2)}V${y(step.low)}H${scale.x(step.time)}Z` : "").join("")
  const path = data.steps.map((step, at) => `${at ? "V" + y(step.last) : `M${scale.x(Math.max(step.time, data.since))} ${y(step.last)}`}H${scale.x(ends[at])}`).join("")
  made.append(svg("path", { d: path, class: "last" }))
  made.append(hatching())
  made.append(...blindMarks(data.blind, scale, TOP, HEIGHT))
  made.append(svg("path", { d: band, class: "band" })) // what was seen stands out of what was not, however short it was
  for (const step of data.steps.length < 80 ? data.steps : []) made.append(svg("circle", { cx: scale.x(step.time), cy: y(step.last), r: 2.4, class: "dot" }))
  for (const act of data.acts) {
    const mark = svg("rect", { x: scale.x(act.time) - 2.5, y: 3, width: 5, height: 18, style: act.access === "unknown" ? "fill:none;stroke:var(--st-gray-text-color)" : `fill:${colours[act.access]}` })
    mark.append(svg("title", {}, act.text))
    made.append(svg("line", { x1: scale.x(act.time), x2: scale.x(act.time), y1: 21, y2: TOP + HEIGHT, class: "act" }), mark)
  }
  return made
}
