// When this person was here last, in this browser: a visit lasts as long as its tab. Nothing else is remembered, and nothing leaves the browser.
export default function ({ data, setStateValue }) {
  const name = "balefire.visit." + data.who
  try {
    if (data.seen) sessionStorage.setItem(name, data.seen)
    const since = sessionStorage.getItem(name) ?? localStorage.getItem(name) ?? ""
    sessionStorage.setItem(name, since)
    if (data.newest) localStorage.setItem(name, data.newest)
    if (since !== data.since) setStateValue("since", since)
  } catch { /* a browser that keeps nothing knows of no visit */ }
}
