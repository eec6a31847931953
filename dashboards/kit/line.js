// Where, and up to when.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "line")
  root.title = data.since
  const leave = el("a", "leave", data.leave)
  leave.href = "logout"
  leave.target = "_self"
  const age = data.age && el("span", "muted age")
  const parts = [data.place && el("b", "", data.place), data.until && el("span", "muted", data.until), age, data.leave && data.who, data.leave && leave].filter(Boolean)
  root.append(...parts.flatMap((part, at) => at ? [" · ", part] : [part]))
  if (!age) return
  const drawn = performance.now(), tell = () => { // by the server's clock when it was drawn: the reader's may be wrong
    const seconds = data.age.seconds + Math.floor((performance.now() - drawn) / 1000)
    age.textContent = seconds < 60 ? data.age.s.replace("{}", seconds) : data.age.min.replace("{}", Math.floor(seconds / 60))
  }
  tell()
  const timer = setInterval(tell, 1000)
  return () => clearInterval(timer)
}
