// Assets in lanes by level, each in its place; what is new has colour and an arrow, the rest are hairlines. Pointing at an asset shows its links alone; a click chooses it.
const LANE = 132, LEFT = 20, RIGHT = 20, NAMED = 62, LEAST = 30, PAD = 34, GAP = 22, HEADER = 26, ROWS = 4, CROWD = 80
const STEPS = Array.from({ length: 41 }, (_, at) => at / 40) // along a curve

// New data moves into the picture that is there: an asset stays the element that it was, so that pointer and keyboard stay on it.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".network") ?? framed(parentElement), colours = accessColours(root), [wrap, legend] = root.children, [made, tip] = wrap.children
  legend.replaceChildren(...key(data, colours))
  const say = (event, text) => {
    tip.hidden = !text
    if (!text) return
    const box = wrap.getBoundingClientRect()
    tip.textContent = text
    tip.style.left = Math.min(event.clientX - box.left + 14, wrap.clientWidth - 300) + "px"
    tip.style.top = event.clientY - box.top + 16 + "px"
  }
  let drawn = 0
  const draw = () => {
    if (!wrap.clientWidth || wrap.clientWidth === drawn) return
    drawn = wrap.clientWidth
    picture(made, data, drawn, colours, say, id => setTriggerValue("node", id))
  }
  const watch = new ResizeObserver(draw)
  watch.observe(wrap)
  draw()
  return () => watch.disconnect()
}

function framed(parent) {
  const root = blank(parent, "network"), tip = el("div", "tip")
  tip.hidden = true
  root.append(el("div", "wrap", null, svg("svg"), tip), el("div", "key small"))
  return root
}

// Where everything stands follows from the lanes, the zones and the width alone. Zones are columns through all lanes that have any.
function layout(data, width) {
  const places = new Map(), lanes = [], left = LANE + LEFT, room = width - left - RIGHT, columns = zoneColumns(data, left, room)
  let top = columns.length ? HEADER : 0
  for (const lane of data.lanes) {
    const zoned = columns.length && lane.nodes.some(node => node.zone)
    const blocks = (zoned ? columns : [{ zone: null, x: left, wide: room }]).map(column => {
      const nodes = zoned ? lane.nodes.filter(node => node.zone === column.zone) : lane.nodes, rows = least => Math.ceil(nodes.length / Math.max(2, Math.floor((column.wide - GAP) / least)))
      return { ...column, nodes, named: rows(NAMED), bare: rows(LEAST) }
    })
    const roomy = Math.max(...blocks.map(block => block.named)) <= ROWS // names, where a few rows suffice for them
    for (const block of blocks) { block.rows = roomy ? block.named : block.bare; block.each = Math.ceil(block.nodes.length / Math.max(1, block.rows)) }
    const rows = Math.max(1, ...blocks.map(block => block.rows)), tall = rows === 1 ? 56 : roomy ? 46 : 38, height = Math.max(92, rows * tall + PAD)
    for (const block of blocks) block.nodes.forEach((node, at) => {
      const row = Math.floor(at / block.each), step = (block.wide - GAP) / block.each
      places.set(node.id, { node, lane, x: block.x + GAP / 2 + (at % block.each + .5) * step, y: top + (height - block.rows * tall) / 2 + row * tall + tall / 2 + (lane.below ? -5 : 7), step, named: step >= NAMED, row: lanes.length * 100 + row })
    })
    lanes.push({ ...lane, top, height, zoned })
    top += height
  }
  return { places, lanes, columns, height: top }
}

function zoneColumns(data, left, room) {
  if (!data.zones.length) return []
  const lanes = data.lanes.filter(lane => lane.nodes.some(node => node.zone)), names = lanes.some(lane => lane.nodes.some(node => !node.zone)) ? [...data.zones, ""] : data.zones
  const most = names.map(zone => Math.max(...lanes.map(lane => lane.nodes.filter(node => node.zone === zone).length))), all = most.reduce((sum, count) => sum + count, 0)
  let x = left
  return names.map((zone, at) => { const wide = room * (.4 / names.length + .6 * most[at] / all), column = { zone, x, wide }; x += wide; return column })
}

function picture(made, data, width, colours, say, choose) {
  const { places, lanes, columns, height } = layout(data, width), there = new Map([...made.querySelectorAll(".node")].map(group => [group.dataset.id, group]))
  const crowded = data.links.filter(link => link.access).length > CROWD // then each is thin and faint, without arrow and word: pointing at an asset shows its own
  const ground = svg("g"), lines = svg("g", { class: (data.links.length > 150 ? "many " : "") + (crowded ? "crowd" : "") }), nodes = made.querySelector(".nodes") ?? svg("g", { class: "nodes" }), labels = svg("g"), words = svg("g")
  const strong = new Set(), by = new Map()
  for (const [name, value] of Object.entries({ width, height, role: "group", "aria-label": data.title })) made.setAttribute(name, value)
  lanes.forEach((lane, at) => {
    ground.append(svg("rect", { x: 0, y: lane.top, width, height: lane.height, class: at % 2 ? "lane" : "lane odd" }), svg("text", { x: 12, y: lane.top + lane.height / 2 + 4, class: "level" }, lane.level), svg("text", { x: 38, y: lane.top + lane.height / 2 + 4, class: "lane-name" }, lane.name))
  })
  zones(ground, lanes, columns, data)
  const near = id => by.get(id) ?? by.set(id, []).get(id)
  const pairs = new Map(), fans = new Map(), worded = [], coloured = []
  for (const link of [...data.links].reverse()) {
    const a = places.get(link.a), b = places.get(link.b)
    if (!a || !b) continue
    const bend = link.access ? pairs.set(link.a + link.b, (pairs.get(link.a + link.b) ?? 0) + 1).get(link.a + link.b) : 0
    const { path, middle, along } = curve(a, b, bend), line = svg("path", { d: path, class: link.access ? link.fresh ? "new" : "known" : "hair", "stroke-dasharray": link.dashed ? "4 3" : "none" })
    if (link.access) {
      line.style.stroke = link.access === "unknown" ? "var(--st-gray-text-color)" : colours[link.access]
      line.style.strokeWidth = crowded ? 1.1 : link.fresh ? (["write", "program", "command"].includes(link.access) ? 2.6 : 1.8) : 1.2
      if (!crowded) line.setAttribute("marker-end", `url(#to-${link.access})`)
      if (link.fresh) { strong.add(link.a); strong.add(link.b) }
    }
    const hit = svg("path", { d: path, class: "hit" }), text = `${a.node.name} → ${b.node.name}\n${link.text}`
    hit.onmousemove = event => say(event, text)
    hit.onmouseleave = event => say(event, "")
    lines.append(line, ...(link.access ? [hit] : []))
    const pair = [link.a, link.b].sort().join(" "), fan = fans.get(pair) ?? fans.set(pair, []).get(pair)
    fan.push(...along)
    if (link.access && !crowded) coloured.push(...along)
    if (link.label && !crowded) worded.push([a, b, middle, link.label, width, fan])
    near(link.a).push(line, link.b)
    near(link.b).push(line, link.a)
  }
  for (const each of worded) word(words, [...places.values()], coloured, ...each)
  const written = []
  const ordered = [...places.values()].sort((one, two) => weight(two, strong, data) - weight(one, strong, data))
  for (const place of ordered) {
    const group = node(there.get(place.node.id) ?? svg("g"), place, data, strong), label = named(place, strong, data, written, coloured)
    if (place.node.severity) group.append(mark(place.x + 7, place.y + (label.getAttribute("y") > place.y ? -17 : 5), place.node.severity))
    group.onmousemove = event => say(event, place.node.text)
    group.onmouseenter = () => focus(made, by, place.node.id)
    group.onmouseleave = event => { say(event, ""); blur(made) }
    group.onclick = () => choose(place.node.id)
    group.onkeydown = event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(place.node.id) } }
    group.dataset.id = label.dataset.id = place.node.id
    if (!there.delete(place.node.id)) nodes.append(group)
    labels.append(label)
  }
  for (const gone of there.values()) gone.remove()
  for (const each of [...made.children]) if (each !== nodes) each.remove()
  if (!nodes.isConnected) made.append(nodes)
  nodes.before(arrows(colours), ground, lines)
  nodes.after(labels, words)
  const under = nodes.querySelector(":hover")?.closest(".node")
  blur(made)
  if (under) focus(made, by, under.dataset.id)
}

const weight = (place, strong, data) => (place.node.id === data.chosen ? 8 : 0) + (place.node.severity ? 4 : 0) + (strong.has(place.node.id) ? 2 : 0) + (place.named ? 1 : 0)

function zones(made, lanes, columns, data) {
  for (const [at, column] of columns.entries()) {
    const name = column.zone || data.noZone, most = Math.floor((column.wide - 12) / 7)
    const label = svg("text", { x: column.x + column.wide / 2, y: 16, class: "zone" }, name.length > most ? name.slice(0, most - 1) + "…" : name)
    label.append(svg("title", {}, name))
    made.append(label)
    if (at) for (const lane of lanes) if (lane.zoned) made.append(svg("line", { x1: column.x, x2: column.x, y1: lane.top, y2: lane.top + lane.height, class: "border" }))
  }
}

// Between lanes nearly straight, in one lane an arc; several between the same two lie beside each other.
function curve(a, b, bend) {
  const dx = b.x - a.x, dy = b.y - a.y, long = Math.hypot(dx, dy) || 1, flat = Math.abs(dy) < 30
  const off = flat ? Math.min(60, 14 + long * .12) * (a.lane.below ? -1 : -1) : 0, side = bend ? (bend % 2 ? 1 : -1) * Math.ceil(bend / 2) * Math.min(36, long * .08) : 0
  const cx = (a.x + b.x) / 2 - dy / long * side, cy = (a.y + b.y) / 2 + dx / long * side + off
  const trim = (x, y, tx, ty, by) => { const d = Math.hypot(tx - x, ty - y) || 1; return [x + (tx - x) / d * by, y + (ty - y) / d * by] }
  const [x1, y1] = trim(a.x, a.y, cx, cy, 9), [x2, y2] = trim(b.x, b.y, cx, cy, bend ? 13 : 9), round = value => Math.round(value * 10) / 10
  return { path: `M${round(x1)} ${round(y1)}Q${round(cx)} ${round(cy)} ${round(x2)} ${round(y2)}`, middle: [(x1 + 2 * cx + x2) / 4, (y1 + 2 * cy + y2) / 4], along: STEPS.map(t => [x1 * (1 - t) ** 2 + 2 * cx * t * (1 - t) + x2 * t ** 2, y1 * (1 - t) ** 2 + 2 * cy * t * (1 - t) + y2 * t ** 2]) }
}

// What a bundle of links does, `fan` being places on them: under or over the middle of a flat one, else beside its beginning; a line lower where another is written.
function word(words, places, coloured, a, b, middle, text, width, fan) {
  const wide = [...text].reduce((sum, letter) => sum + (letter > "\u2e80" ? 12.5 : 7), 0), steep = Math.min(1, 30 / Math.max(30, Math.abs(b.y - a.y))), above = Math.min(a.x + (middle[0] - a.x) * steep * 2 + 16, width - wide - 4)
  const beside = y => {
    const near = fan.filter(([, at]) => Math.abs(at - y + 4) < 12).map(([x]) => x), right = Math.max(...near) + 9, left = Math.min(...near) - 9 - wide
    return !near.length ? above : left > LEFT && (b.x < a.x || right + wide > width - 4) ? left : Math.min(right, width - wide - 4) // away from what goes the other way
  }
  const free = ([x, y]) => !places.some(place => Math.abs(place.y - y) < 34 && place.x > x - 40 && place.x < x + wide + 40) && !coloured.some(within(x, y, wide))
  let [x, y] = levels(a, b, fan, wide).find(free) ?? [0, 0]
  if (!y) { y = a.y + (b.y > a.y ? 24 : -30); x = beside(y) }
  while ([...words.children].some(each => Math.abs(each.place[1] - y) < 14 && x < each.place[0] + each.place[2] && each.place[0] < x + wide)) x = beside(y += 15)
  const made = svg("text", { x, y, class: "word" }, text)
  made.place = [x, y, wide + 8]
  words.append(made)
}

// Whether a line goes through what is written there.
const within = (x, y, wide) => ([at, level]) => at > x - 2 && at < x + wide + 2 && level > y - 12 && level < y + 4

// Places for a word beneath and above the middle of links that lie flat.
function levels(a, b, fan, wide) {
  const middle = (a.x + b.x) / 2, near = fan.filter(([x]) => Math.abs(x - middle) < wide / 2 + 6).map(([, y]) => y)
  return Math.abs(b.x - a.x) < 2.5 * Math.abs(b.y - a.y) || Math.abs(b.x - a.x) < wide + 80 ? [] : [[middle - wide / 2, Math.max(...near) + 18], [middle - wide / 2, Math.min(...near) - 9]]
}

function node(group, place, data, strong) {
  const { x, y, node } = place, kind = (node.id === data.chosen ? " chosen" : "") + (node.severity ? " hot" : strong.has(node.id) ? " strong" : "")
  for (const [name, value] of Object.entries({ class: "node" + kind, tabindex: 0, role: "button", "aria-label": node.text })) group.setAttribute(name, value)
  group.replaceChildren()
  const style = node.severity ? `fill:${fill(node.severity)};stroke:${ink(node.severity)}` : ""
  const round = ["hmi", "engineering", "historian", "server"].includes(node.role), square = node.role === "controller", diamond = ["field_device", "gateway", "switch"].includes(node.role)
  if (round) group.append(svg("rect", { x: x - 9.5, y: y - 7, width: 19, height: 14, rx: 4, style }))
  else if (square) group.append(svg("rect", { x: x - 7, y: y - 7, width: 14, height: 14, style }))
  else if (diamond) group.append(svg("path", { d: `M${x} ${y - 8}l8 8-8 8-8-8z`, style }))
  else group.append(svg("circle", { cx: x, cy: y, r: 7, style }))
  return group
}

// The severity as a shape, beside the asset's own and away from its name.
function mark(x, y, severity) {
  const made = svg("g", { transform: `translate(${x} ${y}) scale(.8)` })
  made.append(svg("path", { d: SHAPES[severity], style: `fill:${fill(severity)};stroke:${ink(severity)};stroke-width:1.2` }))
  return made
}

// A name where there is room for it, on a side where no coloured link goes through it; one that matters stands out, and others that it would cover give way.
function named(place, strong, data, written, coloured) {
  const matters = weight(place, strong, data) > 1, most = Math.max(matters ? 15 : 6, Math.floor(place.step / 6.6)), name = place.node.name.length > most ? place.node.name.slice(0, most - 1) + "…" : place.node.name
  const wide = name.length * 6.6 + 6, under = [place.x, place.y + 22], over = [place.x, place.y - 13], away = wide / 2 + 12
  const sides = [...(place.lane.below ? [under, over] : [over, under]), ...(place.step > 3 * away ? [[place.x - away, place.y + 4], [place.x + away, place.y + 4]] : [])]
  const side = Math.max(0, sides.findIndex(([x, y]) => !coloured.some(within(x - wide / 2 + 6, y - 1, wide - 12)))), [x, y] = sides[side], row = place.row + side / 4
  const made = svg("text", { x, y, class: "label" + (matters ? " matters" : "") }, name)
  const covered = written.some(each => each.row === row && Math.abs(each.x - x) < (each.wide + wide) / 2)
  made.place = { row, x, wide }
  if (!place.named && !matters || covered) made.classList.add("spare")
  else written.push(made.place)
  return made
}

function focus(made, by, id) {
  made.classList.add("focus")
  const near = by.get(id) ?? [], ids = new Set([id, ...near.filter(each => typeof each === "string")])
  for (const line of near) if (typeof line !== "string") line.classList.add("on")
  for (const each of made.querySelectorAll("[data-id]")) if (ids.has(each.dataset.id)) each.classList.add("on")
  const ends = new Map() // names that would cover each other stand a line lower
  for (const each of [...made.querySelectorAll(".label.on")].sort((one, two) => one.place.x - two.place.x)) {
    const { row, x, wide } = each.place, lines = ends.get(row) ?? ends.set(row, []).get(row), line = [0, 1, 2].find(at => (lines[at] ?? -1e9) <= x - wide / 2) ?? 0
    lines[line] = x + wide / 2
    each.setAttribute("dy", line * 12)
  }
}

function blur(made) {
  made.classList.remove("focus")
  for (const each of made.querySelectorAll(".on")) { each.classList.remove("on"); each.removeAttribute("dy") }
}

function arrows(colours) {
  const made = svg("defs")
  for (const [access, colour] of Object.entries(colours)) {
    const marker = svg("marker", { id: "to-" + access, viewBox: "0 0 8 8", refX: 5, refY: 4, markerWidth: 9, markerHeight: 9, markerUnits: "userSpaceOnUse", orient: "auto" })
    marker.append(svg("path", { d: "M0 .5 8 4 0 7.500Z", style: `fill:${access === "unknown" ? "var(--st-gray-text-color)" : colour}` }))
    made.append(marker)
  }
  return made
}

function key(data, colours) {
  const made = []
  for (const [access, word] of data.key) {
    const mark = svg("svg", { width: 24, height: 8, "aria-hidden": "true" })
    mark.append(svg("line", { x1: 0, x2: 24, y1: 4, y2: 4, style: `stroke:${access === "unknown" ? "var(--st-gray-text-color)" : colours[access]};stroke-width:2.4`, "stroke-dasharray": access === "identify" || access === "session" ? "4 3" : "none" }))
    made.push(el("span", "", null, mark, el("span", "", word)))
  }
  const hair = svg("svg", { width: 24, height: 8, "aria-hidden": "true" })
  hair.append(svg("line", { x1: 0, x2: 24, y1: 4, y2: 4, class: "hair" }))
  made.push(el("span", "", null, hair, el("span", "", data.same)), el("span", "muted", data.dashed), el("span", "muted", data.filled), ...Object.entries(data.levels).map(([level, word]) => el("span", "", null, glyph(level), el("span", "", word))))
  return made
}
