// One packet: the tree of its fields on the left, its bytes on the right; either lights the other. All in the browser: nothing runs again.
const ACROSS = 16, LETTERS = 200

export default function ({ data, parentElement }) {
  const root = blank(parentElement, "dissection"), octets = (data.octets.match(/../g) ?? []).map(pair => parseInt(pair, 16))
  const nodes = [], tree = el("div", "tree"), right = el("div", "right"), foot = el("div", "foot"), cells = octets.map(octet => cell(octet))
  const shown = node => !node.parent || (node.parent.open && shown(node.parent))
  let chosen = null

  const add = (field, depth, parent, path) => {
    const [name, value, bits] = parted(field.label, depth), kids = field.fields ?? []
    const row = el("div", field.key ? "node key" : "node", null, el("span", kids.length ? "twist" : ""), el("span", "label", name), el("span", "value", value), field.note ? el("span", "note", field.note) : bits ? el("span", "note mono", bits) : null)
    const node = { field, row, parent, depth, path, name, value, open: false, kids: kids.length > 0 }
    row.setAttribute("role", "treeitem")
    row.setAttribute("aria-level", depth + 1)
    row.style.setProperty("--depth", depth)
    row.tabIndex = -1
    row.onmouseenter = () => paint(field, "hover")
    row.onmouseleave = () => paint(null, "hover")
    row.onclick = () => { if (node.kids && chosen === node) toggle(node); pick(node) }
    nodes.push(node)
    tree.append(row)
    kids.forEach((kid, at) => add(kid, depth + 1, node, `${path}.${at}`))
  }
  const fold = () => nodes.forEach(node => {
    node.row.hidden = !shown(node)
    if (!node.kids) return
    node.row.setAttribute("aria-expanded", node.open)
  })
  const toggle = node => { node.open = !node.open; fold() }
  const paint = (field, name) => {
    const from = field?.at ?? -1, to = from < 0 ? -1 : from + field.size
    cells.forEach((pair, at) => { for (const part of pair) { part.classList.toggle(name, at >= from && at < to); part.classList.toggle(name + "-first", at >= from && at < to && (at === from || at % ACROSS === 0)); part.classList.toggle(name + "-last", at >= from && at < to && (at === to - 1 || at % ACROSS === ACROSS - 1)) } })
  }
  const choose = node => {
    chosen = node
    for (let above = node.parent; above; above = above.parent) above.open = true
    nodes.forEach(each => { each.row.ariaSelected = each === node; each.row.tabIndex = each === node ? 0 : -1 })
    fold()
    paint(node.field, "chosen")
    foot.replaceChildren(...beneath(node, octets, data.words))
    if (cells[node.field.at]) into(hex, cells[node.field.at][0])
  }

  const pick = node => { choose(node); addressed("node", node.path) } // so that a view can be sent

  const hex = dump(cells, octets.length)
  tree.setAttribute("role", "tree")
  tree.ariaLabel = data.title
  data.fields.forEach((field, at) => add(field, 0, null, String(at)))
  tree.onkeydown = event => {
    const next = go(event.key, nodes.filter(shown), chosen, toggle)
    if (next === undefined) return
    event.preventDefault()
    if (next) { pick(next); next.row.focus({ preventScroll: true }); into(tree, next.row) }
  }
  hex.onclick = event => {
    const node = deepest(nodes, Number(event.target.dataset.at ?? -1))
    if (node) { pick(node); into(tree, node.row) }
  }
  hex.onmouseover = event => paint(deepest(nodes, Number(event.target.dataset.at ?? -1))?.field ?? null, "hover")
  hex.onmouseleave = () => paint(null, "hover")
  right.append(hex, foot)
  root.append(heading(data.title, data.note), ...data.lines.map(line => el("p", "line", line)), el("div", "two", null, tree, right))
  cells.forEach((pair, at) => pair.forEach(part => part.dataset.at = at))
  if (!nodes.length) return void tree.append(el("p", "muted none", data.words.none))
  const last = nodes.findLast(node => !node.parent && node.field.size) ?? nodes.at(-1)
  last.open = true
  const asked = nodes.find(node => node.path === data.node), start = asked ?? nodes.find(node => node.field.key) ?? last
  if (data.node && !asked) root.querySelector(".two").before(el("p", "line muted", data.words.lost))
  choose(start)
  requestAnimationFrame(() => into(tree, start.row))
}

// Scroll a part into its box, and nothing else.
function into(box, part) {
  const over = part.offsetTop + part.offsetHeight - box.clientHeight
  box.scrollTop = Math.min(Math.max(box.scrollTop, over + 6), Math.max(0, part.offsetTop - 6))
}

// What arrow keys lead to: a node, null where there is none, undefined for another key.
function go(key, visible, chosen, toggle) {
  const at = visible.indexOf(chosen)
  if (key === "ArrowDown") return visible[at + 1] ?? null
  if (key === "ArrowUp") return visible[at - 1] ?? null
  if (key === "Home") return visible[0]
  if (key === "End") return visible.at(-1)
  if (key === "ArrowRight") return chosen.kids && !chosen.open ? (toggle(chosen), null) : visible[at + 1] ?? null
  if (key === "ArrowLeft") return chosen.kids && chosen.open ? (toggle(chosen), null) : chosen.parent
  return undefined
}

// The field that covers this byte and least else; of those with the same bytes the innermost, and of those the one that is no bit of it.
function deepest(nodes, at) {
  let found = null
  for (const node of nodes) {
    const { at: from, size } = node.field
    if (from == null || at < from || at >= from + size) continue
    if (!found || size < found.field.size || (size === found.field.size && node.depth > found.depth && node.parent === found)) found = node
  }
  return found
}

// "0100 .... = Version: 4" → name, value, bits; of a protocol what stands behind its first comma is its value.
function parted(label, depth) {
  const [, bits, rest] = /^([01.·\s]{4,}) = (.*)$/s.exec(label) ?? [, "", label]
  const at = depth === 0 ? rest.search(/, |: /) : rest.indexOf(": ")
  const value = at < 0 ? "" : rest.slice(at + 2)
  return [at < 0 ? rest : rest.slice(0, at), value.length > LETTERS ? value.slice(0, LETTERS) + "…" : value, bits]
}

function cell(octet) {
  return [el("span", "octet", octet.toString(16).padStart(2, "0")), el("span", "letter", octet > 31 && octet < 127 ? String.fromCharCode(octet) : "·")]
}

function dump(cells, count) {
  const hex = el("div", "hex mono")
  for (let from = 0; from < count; from += ACROSS) {
    const pairs = el("span", "octets"), letters = el("span", "letters")
    for (let at = from; at < Math.min(from + ACROSS, count); at++) {
      if (at % ACROSS === 8) pairs.append(el("span", "gap"))
      pairs.append(cells[at][0])
      letters.append(cells[at][1])
    }
    hex.append(el("div", "line", null, el("span", "offset", from.toString(16).padStart(4, "0")), pairs, letters))
  }
  return hex
}

// Beneath the bytes: which field, where it stands, and how its bytes can be read.
function beneath(node, octets, words) {
  const { at, size } = node.field, inside = at != null && size > 0
  const where = inside ? (size === 1 ? words.one : words.at).replace("{first}", at).replace("{last}", at + size - 1).replace("{size}", size) : words.nowhere
  const head = el("div", "top", null, el("b", "", node.name), el("span", "muted small", where))
  return inside ? [head, readings(octets.slice(at, at + size), words)] : [head]
}

function readings(octets, words) {
  const view = new DataView(Uint8Array.from(octets).buffer), size = octets.length, told = []
  const real = value => Number.isFinite(value) ? String(Number(value.toPrecision(7))) : "–"
  told.push(["hex", octets.slice(0, 8).map(octet => octet.toString(16).padStart(2, "0")).join(" ") + (size > 8 ? " …" : "")])
  if (size === 1) told.push(["uint8", view.getUint8(0)], ["int8", view.getInt8(0)], [words.bits, view.getUint8(0).toString(2).padStart(8, "0")])
  if (size === 2) told.push(["uint16", view.getUint16(0)], ["int16", view.getInt16(0)], ["uint16 LE", view.getUint16(0, true)])
  if (size === 4) {
    const swapped = new DataView(new ArrayBuffer(4))
    swapped.setUint16(0, view.getUint16(2))
    swapped.setUint16(2, view.getUint16(0))
    told.push(["uint32", view.getUint32(0)], ["float32", real(view.getFloat32(0))], ["float32 " + words.swapped, real(swapped.getFloat32(0))], ["float32 LE", real(view.getFloat32(0, true))], ["2 × uint16", `${view.getUint16(0)} ${view.getUint16(2)}`])
  }
  if (size === 8) told.push(["float64", real(view.getFloat64(0))], ["float64 LE", real(view.getFloat64(0, true))], ["2 × float32", `${real(view.getFloat32(0))} ${real(view.getFloat32(4))}`])
  return el("div", "readings mono", null, ...told.map(([name, value]) => el("span", "", null, el("em", "", name), el("span", "", value))))
}
