// A printed page in a frame of its own: a document without rights, in which nothing runs and from which nothing is loaded.
export default function ({ data, parentElement }) {
  const root = blank(parentElement, "paper")
  const frame = el("iframe")
  frame.setAttribute("sandbox", "")
  frame.title = data.title
  frame.style.height = `${data.height}px`
  frame.srcdoc = data.html
  root.append(frame)
}
