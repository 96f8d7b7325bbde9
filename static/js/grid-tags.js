/* [data-tally] lists the tags of the photos that are marked, or of all on the page where none is: "beach 31 of 40".
   The server lists those of the page; this narrows the list to the marked. Enter in a field presses its own button. */

const form = () => document.querySelector("[data-grid]");

function chosen() {
  const all = [...form().querySelectorAll("input[name=mark]")];
  const marked = all.filter((box) => box.checked);
  return marked.length ? marked : all;
}

function count(photos) {
  const counts = new Map();
  for (const box of photos) {
    for (const tag of JSON.parse(box.dataset.tags)) counts.set(tag, (counts.get(tag) ?? 0) + 1);
  }
  return counts;
}

function tally() {
  const photos = chosen();
  const counts = count(photos);
  for (const row of document.querySelectorAll("[data-tally] [data-tag]")) {
    const found = counts.get(row.dataset.tag) ?? 0;
    row.hidden = !found;
    row.querySelector("[data-count]").textContent = `${found} of ${photos.length}`;
  }
  const options = [...document.querySelectorAll("option[data-tag]")];
  for (const option of options) option.hidden = !counts.has(option.value);
  const first = options.find((option) => !option.hidden);
  if (first && options.some((option) => option.selected && option.hidden)) first.selected = true;
}

document.addEventListener("grid:marks", tally, true);

document.addEventListener("keydown", (event) => {
  const button = event.key === "Enter" && !event.isComposing && event.target.dataset?.presses;
  if (!button) return;
  event.preventDefault();
  document.getElementById(button).click();
});
