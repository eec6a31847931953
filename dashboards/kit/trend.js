// How the risk of an asset went: a bar a day, and whether the last week was worse than the one before.
export default function ({ data, parentElement }) {
  blank(parentElement, "trend").append(heading(data.title, data.note), spark(data, 20, 44))
}
