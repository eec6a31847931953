// Where, and up to when.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "line")
  root.title = data.since
  const leave = el("a", "leave", data.leave)
  leave.href = "logout"
  leave.target = "_self"
  const parts = [data.place && el("b", "", data.place), data.until && el("span", "muted", data.until), data.leave && data.who, data.leave && leave].filter(Boolean)
  root.append(...parts.flatMap((part, at) => at ? [" · ", part] : [part]))
}
