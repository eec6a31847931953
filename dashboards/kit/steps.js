// The technique, the first steps.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "steps")
  root.append(heading(data.techniqueTitle))
  for (const [code, name] of data.techniques) root.append(el("p", "technique", null, el("b", "mono", code), el("span", "", name)))
  if (!data.techniques.length) root.append(el("p", "prose muted", data.techniqueNone))
  root.append(heading(data.stepsTitle, data.stepsNote))
  if (data.steps.length) root.append(el("ol", "", null, ...data.steps.map(step => el("li", "", null, phrase("span", "", step)))))
  else root.append(el("p", "prose muted", data.stepsNone))
}
