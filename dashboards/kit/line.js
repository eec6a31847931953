// Where, and up to when.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "line")
  root.title = data.since
  root.append(...(data.place ? [el("b", "", data.place), " · "] : []), el("span", "muted", data.until))
  if (data.leave) {
    const leave = el("a", "leave", data.leave)
    leave.href = "logout"
    leave.target = "_self"
    root.append(" · ", data.who, " · ", leave)
  }
}
