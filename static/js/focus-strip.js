/* #strip: the photo before with what was decided on it, the one on show, and those that come next. */

const strip = document.getElementById("strip");
const MARKS = { approve: ["good", "Approved"], reject: ["bad", "Rejected"], again: ["wait", "Asked for new words"] };

function picture(card, alt) {
  const image = document.createElement("img");
  image.src = card.dataset.thumb;
  image.alt = alt;
  return image;
}

function entry(card) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = card.dataset.url;
  link.dataset.go = "jump";
  link.dataset.photo = card.dataset.photo;
  const [kind, label] = MARKS[card.dataset.verdict] ?? ["", ""];
  link.append(picture(card, label ? `${card.dataset.name}: ${label}` : card.dataset.name));
  item.className = kind;
  item.append(link);
  return item;
}

export function draw(behind, current, ahead) {
  const here = document.createElement("li");
  here.setAttribute("aria-current", "true");
  here.append(picture(current, "This photo"));
  strip.replaceChildren(...behind.slice(-1).map(entry), here, ...ahead.slice(0, 5).map(entry));
}
