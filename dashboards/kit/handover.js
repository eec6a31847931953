// Plain text to paste elsewhere, in both languages, each with a button that copies it.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "handover"), boxes = el("div", "boxes")
  root.append(heading(data.title, data.note), boxes)
  for (const { language, text } of data.texts) {
    const area = el("textarea", "mono"), button = el("button", "", data.copy), said = el("span", "muted small")
    area.value = text
    area.readOnly = true
    area.lang = language === "zh" ? "zh-CN" : language
    area.ariaLabel = `${data.title} ${data.names[language]}`
    area.rows = Math.min(22, text.split("\n").length + 1)
    said.setAttribute("role", "status")
    button.onclick = async () => {
      area.focus()
      area.select()
      try { await navigator.clipboard.writeText(text) } catch { if (!document.execCommand("copy")) return void (said.textContent = data.failed) } // no clipboard without https
      said.textContent = data.copied
    }
    boxes.append(el("div", "box", null, el("div", "top", null, el("b", "", data.names[language]), button, said), area))
  }
}
