// Two things Streamlit leaves undone: the document's language, and theme colours outside components (page styles use --bf-*).
export default function ({ data, parentElement }) {
  const host = parentElement.host || parentElement, page = document.documentElement, theme = getComputedStyle(host)
  page.lang = data.language
  for (const [name, source] of [["text", "--st-text-color"], ["link", "--st-link-color"], ["line", "--st-border-color"]]) page.style.setProperty("--bf-" + name, theme.getPropertyValue(source).trim())
}
