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

// Names such as PLC-7 never break at their hyphen.
function phrase(tag, name, text) {
  const element = el(tag, name)
  for (const part of String(text).split(/([A-Z][A-Z\d]*(?:-[A-Z\d]+)+)/)) element.append(/^[A-Z].*-/.test(part) ? el("span", "name", part) : part)
  return element
}

const heading = (title, note) => el("h3", "", title, note ? el("span", "", note) : null)

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
