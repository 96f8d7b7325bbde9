/* <link data-prefetch href="…"> names the images of the photos that come next; each is fetched once. */

const fetched = new Set();

function prefetch(address) {
  if (fetched.has(address)) return;
  fetched.add(address);
  new Image().src = address;
}

document.addEventListener("htmx:load", (event) => {
  for (const link of event.detail.elt.querySelectorAll("link[data-prefetch]")) prefetch(link.href);
});
