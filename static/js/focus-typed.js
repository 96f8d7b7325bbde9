/* What a person has typed on a card, and how it gets onto another card of the same photo. */

const OURS = ["", "csrfmiddlewaretoken", "version"];
const begun = new WeakMap(); // card → what its forms held when it came

/* `approve.title` → its values, for every field of the card. */
function values(card) {
  const found = {};
  for (const form of card.querySelectorAll("[data-behind]")) {
    const data = new FormData(form);
    const names = new Set([...form.elements].map((field) => field.name));
    for (const name of names) if (!OURS.includes(name)) found[`${form.dataset.behind}.${name}`] = data.getAll(name);
  }
  return found;
}

export function begin(card) {
  begun.set(card, values(card));
}

/* The fields that are not as they came. */
export function typed(card) {
  const before = begun.get(card);
  const isNew = ([place, now]) => JSON.stringify(now) !== JSON.stringify(before[place]);
  return Object.fromEntries(Object.entries(values(card)).filter(isNew));
}

export const isTyped = (card) => Object.keys(typed(card)).length > 0;

/* The same without the fields of one form. */
export function without(fields, form) {
  return Object.fromEntries(Object.entries(fields).filter(([place]) => !place.startsWith(`${form}.`)));
}

/* Write them on a card that was not shown yet. */
export function retype(card, fields) {
  for (const [place, now] of Object.entries(fields)) {
    const [form, name] = place.split(".");
    for (const field of card.querySelectorAll(`[data-behind="${form}"] [name="${name}"]`)) {
      if (field.type === "checkbox") field.checked = now.includes(field.value);
      else field.value = now[0];
    }
  }
}

/* What was sent, to be copied where no card is left to show it: “A heron. · heron, reeds”. */
export function inWords(body) {
  const sent = new URLSearchParams(body);
  const said = ["description", "tags", "note"].map((name) => sent.get(name)?.trim()).filter(Boolean);
  return said.length ? ` What was sent: “${said.join(" · ")}”` : "";
}
