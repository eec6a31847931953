// The first thing to read: a bar in the warning colour, the level and why, one sentence, a few facts; of one alert also its reason in prose.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "headline"), body = el("div", "body")
  root.style.setProperty("--fill", fill(data.level))
  const tag = el("span", data.plain ? "plain" : "tag", null, glyph(data.level), el("b", "", data.tag), data.why ? el("span", "", data.why) : null)
  tag.style.color = ink(data.level)
  if (!data.plain) tag.style.background = tint(data.level)
  const top = el("div", "top", null, tag, ...(data.meta ?? []).map(([strong, rest]) => el("span", "muted", null, strong ? el("b", "score", strong) : null, rest)))
  body.append(top, phrase("h1", data.plain ? "lesser" : "", data.sentence))
  if (data.reason) body.append(phrase("p", "reason", data.reason))
  if (data.facts?.length) body.append(el("p", "facts", null, ...data.facts.map(([strong, rest]) => el("span", "", null, el("b", "", strong), " " + rest))))
  root.append(el("div", "bar"), body)
}
