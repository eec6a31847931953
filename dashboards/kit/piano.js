// Objects of devices over time on a canvas: who looks is thin and grey, who acts is tall and coloured, with a halo of ground; alerts are outlined; blind time is hatched.
const ROW = 27, HEAD = 26, TOP = 20, BOTTOM = 26, LEFT = 250, RIGHT = 8, LOOK = 6, ACT = 18
const LOOKS = new Set(["read", "report", "identify", "session"])

export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "piano"), colours = accessColours(root), style = name => getComputedStyle(root).getPropertyValue(name).trim()
  const places = [], heads = []
  let height = TOP, device = null
  data.rows.forEach(row => { if (row.device !== device) { heads.push([height, device = row.device]); height += HEAD } places.push(height); height += ROW })
  const total = height + BOTTOM, wrap = el("div", "wrap"), canvas = el("canvas"), links = el("div"), tip = el("div", "tip")
  tip.hidden = true
  wrap.style.height = total + "px"
  canvas.setAttribute("role", "img")
  canvas.setAttribute("aria-label", data.title)
  wrap.append(canvas, links, tip)
  root.append(el("div", "top", null, heading(data.title, data.note), key(data, colours)), wrap)
  root.dataset.marks = data.marks.length
  let scale = timeScale(data.since, data.until, LEFT, LEFT + 1)
  const draw = () => {
    const width = wrap.clientWidth
    if (!width) return
    scale = timeScale(data.since, data.until, LEFT, width - RIGHT)
    const box = mark => { const from = Math.max(LEFT, scale.x(mark[1])); return [from, Math.min(width - RIGHT, scale.x(mark[2])) - from] }, marks = outlines(data.alerts, box)
    paint(canvas, data, { width, height, total, places, heads, scale, colours, style, root, box, marks })
    const focused = [...links.children].indexOf(links.getRootNode().activeElement)
    links.replaceChildren(...marks.map(mark => way(mark, data, places, setTriggerValue)))
    links.children[focused]?.focus()
  }
  const find = event => {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top, row = places.findIndex(place => y >= place && y < place + ROW)
    const near = (from, to) => x >= scale.x(from) - 3 && x <= Math.max(scale.x(to), scale.x(from) + 4) + 3
    const blame = data.alerts.find(each => each[0] === row && near(each[1], each[2])), hits = data.marks.filter(each => each[0] === row && near(each[1], each[2]))
    return { x, y, row, blame, mark: hits.find(each => !LOOKS.has(each[3])) ?? hits[0] }
  }
  wrap.onmousemove = event => {
    const { x, y, row, blame, mark } = find(event)
    tip.hidden = !mark && !blame || event.buttons > 0
    if (tip.hidden) return
    const named = data.rows[row], words = mark ? `${clockText(mark[1], data.offset)}${mark[2] - mark[1] > 1999 ? "–" + clockText(mark[2], data.offset) : ""}  ${data.words[mark[3]]}  ${named.code} ${named.name}  × ${mark[4]}` : ""
    tip.textContent = [words, blame ? blame[5] : ""].filter(Boolean).join("\n")
    tip.style.left = Math.min(x + 12, wrap.clientWidth - 300) + "px"
    tip.style.top = y + 14 + "px"
  }
  wrap.onmouseleave = () => { tip.hidden = true }
  const release = brushing(wrap, () => scale, TOP, () => height - TOP, span => setTriggerValue("span", span))
  const watch = new ResizeObserver(draw)
  watch.observe(wrap)
  draw()
  document.fonts?.ready.then(draw)
  return () => { watch.disconnect(); release() }
}

function key(data, colours) {
  const made = el("div", "key muted small")
  for (const [access, word] of data.key) {
    const mark = el("i", LOOKS.has(access) ? "thin" : "")
    mark.style.background = colours[access]
    if (access === "unknown") mark.style.outline = "1px solid var(--st-gray-text-color)"
    made.append(el("span", "", null, mark, el("span", "", word)))
  }
  if (data.alerts.length) made.append(el("span", "", null, glyph("critical"), el("span", "", data.alertWord)))
  made.append(el("span", "", data.hint))
  return made
}

function paint(canvas, data, { width, height, total, places, heads, scale, colours, style, root, box, marks }) {
  const ratio = devicePixelRatio || 1, font = style("--st-font") || "sans-serif", mono = style("--st-code-font") || "monospace"
  const text = style("--st-text-color"), muted = style("--st-gray-text-color"), line = style("--st-border-color"), ground = style("--st-background-color")
  canvas.width = width * ratio
  canvas.height = total * ratio
  canvas.style.cssText = `width:${width}px;height:${total}px`
  const pen = canvas.getContext("2d")
  pen.scale(ratio, ratio)
  pen.textBaseline = "middle"
  const write = (words, x, y, colour, face, most) => { pen.fillStyle = colour; pen.font = face; pen.fillText(clipped(pen, words, most), x, y) }
  for (const [y, device] of heads) { pen.fillStyle = line; pen.fillRect(0, y, width, .7); write(device, 0, y + HEAD / 2 + 1, text, `600 13px ${font}`, width) }
  data.rows.forEach((row, at) => {
    const y = places[at]
    pen.fillStyle = line
    pen.fillRect(0, y, width, .7)
    if (row.code) write(row.code, 0, y + ROW / 2, muted, `12px ${mono}`, 84)
    write(row.name, row.code ? 92 : 0, y + ROW / 2, text, `13px ${font}`, LEFT - (row.code ? 102 : 10))
  })
  pen.fillStyle = line
  pen.fillRect(0, height, width, .7)
  pen.textAlign = "center"
  for (const [tick, x] of roomy(data.ticks, scale)) {
    pen.fillStyle = line
    pen.fillRect(x, TOP, .7, height - TOP)
    write(tick.text, x, total - BOTTOM / 2, tick.day ? text : muted, `${tick.day ? "600 " : ""}12px ${font}`, 90)
  }
  let named = 0
  for (const each of data.blind) named = hatch(pen, scale, each, height, { ground, text, muted, font, word: data.blindWord, named })
  for (const mark of data.marks) if (LOOKS.has(mark[3])) { const [x, wide] = box(mark); pen.fillStyle = colours[mark[3]]; pen.fillRect(x, places[mark[0]] + (ROW - LOOK) / 2, Math.max(1.6, wide), LOOK) }
  for (const mark of data.marks) {
    if (LOOKS.has(mark[3])) continue
    const [x, wide] = box(mark), y = places[mark[0]] + (ROW - ACT) / 2, w = Math.max(5, wide)
    pen.fillStyle = ground
    pen.fillRect(x - 1.2, y - 1.2, w + 2.4, ACT + 2.4)
    if (mark[3] === "unknown") { pen.strokeStyle = muted; pen.lineWidth = 1.2; pen.strokeRect(x + .6, y + .6, w - 1.2, ACT - 1.2) } else { pen.fillStyle = colours[mark[3]]; pen.fillRect(x, y, w, ACT) }
  }
  for (const [place, row, severity] of [...marks].reverse()) accuse(pen, place, places[row], severity, ground, name => getComputedStyle(root).getPropertyValue(name).trim())
}

// The way to the alert of an outline, for a mouse, a keyboard and a screen reader: what is painted has neither a focus nor a name.
function way([place, row, , at], data, places, setTriggerValue) {
  const [, since, , , href, words] = data.alerts[at], link = anchor("mark", "", href, setTriggerValue), { code, name, device } = data.rows[row]
  link.setAttribute("aria-label", [words, `${code} ${name}`.trim(), device, clockText(since, data.offset)].join(" · "))
  link.style.cssText = `left:${place[0] - 3}px;top:${places[row]}px;width:${Math.max(5, place[1]) + 6}px;height:${ROW}px`
  return link
}

// What one alert is about in one row is outlined together where single outlines would touch: dozens of them hide what they are about.
function outlines(alerts, box) {
  const made = [], last = new Map()
  for (const each of [...alerts].sort((one, other) => one[1] - other[1])) {
    const [x, wide] = box(each), name = `${each[0]} ${each[4]}`, held = last.get(name), end = x + Math.max(5, wide)
    if (held && x - 3 <= held[0][0] + held[0][1] + 5) held[0][1] = Math.max(held[0][1], end - held[0][0])
    else { last.set(name, [[x, end - x], each[0], each[3], alerts.indexOf(each)]); made.push(last.get(name)) }
  }
  return made.sort((one, other) => one[3] - other[3]) // the gravest first
}

function accuse(pen, [x, wide], y, severity, ground, style) {
  const w = Math.max(5, wide), colour = COLOURS[severity]
  pen.strokeStyle = style(`--st-${colour}-text-color`)
  pen.lineWidth = 1.6
  pen.strokeRect(x - 3, y + 1.6, w + 6, ROW - 3.2)
  pen.save()
  pen.translate(x + 2.5 - 6.5, y - 8.5)
  pen.scale(.93, .93)
  const shape = new Path2D(SHAPES[severity])
  pen.fillStyle = style(`--st-${colour}-color`)
  pen.fill(shape)
  pen.lineWidth = 1.2
  pen.strokeStyle = ground
  pen.stroke(shape)
  pen.restore()
}

function hatch(pen, scale, each, height, { ground, text, muted, font, word, named }) {
  const from = scale.x(each.since), wide = Math.max(9, scale.x(each.until) - from)
  pen.save()
  pen.beginPath()
  pen.rect(from, TOP, wide, height - TOP)
  pen.clip()
  pen.fillStyle = ground
  pen.fillRect(from, TOP, wide, height)
  pen.strokeStyle = text
  pen.lineWidth = .9
  for (let at = -height; at < wide + height; at += 6) { pen.beginPath(); pen.moveTo(from + at, height); pen.lineTo(from + at + height, 0); pen.stroke() }
  pen.restore()
  pen.textAlign = "center"
  pen.fillStyle = muted
  pen.font = `12px ${font}`
  const place = Math.max(scale.left + 16, Math.min(from + wide / 2, scale.right - 16))
  if (place < named) return named
  pen.fillText(word, place, TOP / 2 - 1)
  return place + 60
}

const LONGEST = 512 // letters that are measured at all: a hostile name has 64 Ki of them

function clipped(pen, words, most) {
  const whole = String(words).slice(0, LONGEST)
  if (!most || pen.measureText(whole).width <= most) return whole
  let end = whole.length
  while (end && pen.measureText(whole.slice(0, end) + "…").width > most) end--
  return whole.slice(0, end) + "…"
}
