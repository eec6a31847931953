// What was not seen: a figure and what it counts, a line each; of blind spots what they are, and what to do about them.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "unseen")
  root.append(heading(data.title, data.note))
  for (const [figure, text, todo] of data.rows) {
    const words = todo ? el("span", null, text, el("small", "muted", todo)) : el("span", "muted", text)
    root.append(el("div", "row", null, el("b", "number", figure), words))
  }
}
