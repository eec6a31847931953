// Alerts that are like this one. Each row is a link.
export default function ({ data, parentElement, setTriggerValue }) {
  const root = blank(parentElement, "similar")
  root.append(heading(data.title, data.note))
  if (!data.rows.length) return void root.append(el("p", "muted", data.empty))
  for (const alert of data.rows) {
    const link = anchor("title", alert.title, alert.href, setTriggerValue)
    root.append(el("div", "row", null, severityTag(alert.severity, alert.word), el("b", "number", alert.score), el("div", "main", null, link, el("div", "muted small cut", [alert.asset, alert.statusWord].filter(Boolean).join(" · "))), el("span", "muted number", alert.time)))
  }
}
