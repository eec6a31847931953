// Keys: ? tells them, / searches, g and a letter goes to a page, j and k go down and up the list, x chooses. None works while somebody types.
const FOLLOWS = 1500 // ms in which a letter follows g
const TYPING = "input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]:not([contenteditable=false]), [role=slider], [role=combobox]"

export default function ({ data, parentElement, setTriggerValue }) {
  const open = parentElement.querySelector("dialog")?.open // it is drawn anew with each run of the page
  const root = blank(parentElement, "keys"), dialog = el("dialog"), button = el("button", "what", "?"), close = el("button", "", data.close)
  dialog.ariaLabel = button.ariaLabel = button.title = data.title
  const line = ([keys, words]) => el("div", "line", null, el("span", "caps", null, ...keys.map(key => el("kbd", "", key))), el("span", "", words))
  dialog.append(heading(data.title), el("div", "lists", null, ...data.lists.map(lines => el("div", "", null, ...lines.map(line)))), el("p", "muted", data.note), close)
  close.onclick = () => dialog.close()
  button.onclick = () => dialog.showModal()
  root.append(button, dialog)
  if (open) dialog.showModal()
  let begun = 0
  const act = key => {
    const page = performance.now() - begun < FOLLOWS ? data.pages[key] : undefined
    begun = 0
    if (page !== undefined) return setTriggerValue("open", page), true
    if (key === "?" || key === "？") return dialog.showModal(), true
    if (key === "/") return search()
    if (key === "g") return (begun = performance.now()), true
    if ((key === "j" || key === "k") && !document.querySelector(data.own)) return step(key === "j" ? 1 : -1)
    return key === "x" && choose()
  }
  const pressed = event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (dialog.open) { // what lies behind it is not meant
      if (event.key === "?" || event.key === "？") dialog.close(), event.preventDefault()
      return void (event.key.length === 1 && event.key !== " " && event.stopImmediatePropagation())
    }
    if (!event.composedPath()[0].matches?.(TYPING) && act(event.key)) event.preventDefault(), event.stopImmediatePropagation() // no button has the same key
  }
  window.addEventListener("keydown", pressed, true)
  return () => window.removeEventListener("keydown", pressed, true)
}

function search() {
  const box = document.querySelector('[data-testid=stMain] :is([class*="st-key-typed_"], .st-key-search, .st-key-audit_search) input')
  box?.focus()
  box?.select()
  return !!box
}

// The first link of each row of every list on the page, as they stand.
function links() {
  const hosts = [...document.querySelectorAll("[data-testid=stMain] [data-testid=stBidiComponentIsolated]")]
  const rows = hosts.flatMap(host => [...(host.shadowRoot?.querySelectorAll(".queue .row:not(.head), .table tbody tr, .risk a, .similar a") ?? [])])
  return rows.map(row => row.matches("a") ? row : row.querySelector("a[href]")).filter(link => link?.href && link.getClientRects().length)
}

function focused() {
  let found = document.activeElement
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement
  return found
}

function step(way) {
  const here = focused(), all = links(), at = all.indexOf(here?.closest?.(".row")?.querySelector("a[href]") ?? here), next = all[at < 0 ? 0 : at + way]
  next?.focus()
  next?.scrollIntoView({ block: "nearest" })
  return !!all.length
}

function choose() {
  const at = focused(), box = at?.closest?.(".row")?.querySelector("input[type=checkbox]") ?? at?.closest?.("tr[data-id]")
  box?.click()
  return !!box
}
