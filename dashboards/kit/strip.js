// Operations over time by access, looking beneath acting; a drag chooses a span of time.
const HEIGHT = 64, AXIS = 22, RIGHT = 8
const ORDER = ["read", "report", "identify", "session", "diagnose", "unknown", "time", "file", "configure", "write", "command", "program"]

export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "strip"), colours = accessColours(root), wrap = el("div", "wrap")
  root.append(el("div", "top", null, heading(data.title, data.note), key(root, data, colours)), wrap)
  let scale = timeScale(data.since, data.until, data.left, data.left + 1)
  const chart = el("div")
  wrap.append(chart)
  const draw = () => {
    if (!wrap.clientWidth) return
    scale = timeScale(data.since, data.until, data.left, wrap.clientWidth - RIGHT)
    chart.replaceChildren(picture(data, wrap.clientWidth, scale, colours))
  }
  const release = brushing(wrap, () => scale, 6, () => HEIGHT, span => setTriggerValue("span", span))
  const watch = new ResizeObserver(draw)
  watch.observe(wrap)
  draw()
  return () => { watch.disconnect(); release() }
}

function key(root, data, colours) {
  const made = el("div", "key muted small"), there = new Set(data.bars.flatMap(bar => Object.keys(bar.by)))
  for (const access of [...ORDER].reverse()) {
    if (!there.has(access)) continue
    const mark = el("i")
    mark.style.background = colours[access]
    if (access === "unknown") mark.className = "unknown"
    made.append(el("span", "", null, mark, el("span", "", data.words[access])))
  }
  return made
}

function picture(data, width, scale, colours) {
  const made = svg("svg", { width, height: HEIGHT + AXIS + 6, role: "img", "aria-label": data.title })
  const sum = bar => Object.values(bar.by).reduce((total, count) => total + count, 0), most = Math.max(1, ...data.bars.map(sum)), tall = count => Math.log10(count + 1) / Math.log10(most + 1) * HEIGHT
  made.append(svg("line", { x1: scale.left, x2: width - RIGHT, y1: HEIGHT + 6, y2: HEIGHT + 6, class: "ground" }), svg("text", { x: scale.left - 8, y: 14, class: "end" }, short(most)), svg("text", { x: scale.left - 8, y: HEIGHT + 9, class: "end" }, "0"))
  for (const [tick, x] of roomy(data.ticks, scale)) made.append(svg("line", { x1: x, x2: x, y1: 6, y2: HEIGHT + 6, class: "grid" }), tickText(tick, x, HEIGHT + AXIS))
  made.append(...blindMarks(data.blind, scale, 6, HEIGHT))
  made.append(hatching())
  for (const bar of data.bars) {
    const from = scale.x(Math.max(bar.time, data.since)), wide = Math.max(1.5, (scale.x(Math.min(bar.time + data.interval, data.until)) - from) * .8), all = sum(bar), group = svg("g")
    group.append(svg("title", {}, bar.text))
    let base = HEIGHT + 6
    // The height tells the sum (logarithmic); of it, acting gets at least two pixels each, or it would vanish beside polling.
    const parts = ORDER.filter(access => bar.by[access]), acts = parts.filter(access => !["read", "report"].includes(access)), least = access => acts.includes(access) ? 3 : 0
    const whole = Math.max(tall(all), acts.length * 3 + 2), rest = whole - acts.length * 3
    for (const access of parts) {
      const high = least(access) + rest * bar.by[access] / all
      base -= high
      group.append(svg("rect", { x: from, width: wide, y: base, height: high, style: access === "unknown" ? "fill:none;stroke:var(--st-gray-text-color)" : `fill:${colours[access]}` }))
    }
    made.append(group)
  }
  return made
}

const short = count => count >= 1e6 ? (count / 1e6).toFixed(1) + " M" : count >= 1e4 ? Math.round(count / 1e3) + " k" : String(count)
