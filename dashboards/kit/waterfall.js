// Why the score is what it is: terms in grey, one after the other; only the sum has a severity. Negative terms are hatched.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "waterfall")
  root.append(heading(data.title, data.note))
  let sum = 0, low = 0, high = 100
  for (const term of data.terms) { sum += term.value; low = Math.min(low, sum); high = Math.max(high, sum) }
  const place = value => (value - low) / (high - low) * 100
  sum = 0
  for (const term of data.terms) {
    const from = Math.min(sum, sum + term.value), track = el("span", "track"), bar = el("i", term.value < 0 ? "negative" : ""), link = el("u")
    sum += term.value
    bar.style.left = place(from) + "%"
    bar.style.width = (place(from + Math.abs(term.value)) - place(from)) + "%"
    link.style.left = place(sum) + "%"
    track.append(bar, link)
    root.append(el("div", "row", null, phrase("span", "term", term.name), track, el("span", "number", term.text)))
  }
  const track = el("span", "track"), bar = el("i")
  bar.style.cssText = `left:${place(0)}%;width:${place(Math.max(0, sum)) - place(0)}%;background:${fill(data.severity)};outline:1px solid ${ink(data.severity)};outline-offset:-1px`
  track.append(bar)
  for (const [at, severity] of data.steps) {
    const step = el("em", "", null, el("span", "", null, glyph(severity, 10), String(at)))
    step.style.left = place(at) + "%"
    track.append(step)
  }
  root.append(el("div", "row sum", null, el("span", "term", data.total), track, el("span", "number", data.sum)))
  if (data.foot) root.append(el("p", "muted small", data.foot))
}
