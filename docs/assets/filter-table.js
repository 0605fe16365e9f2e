// A field above a long table that hides the rows without the words typed into it (docs/drivers/flags.md).
// It belongs to the first table of a page with an element of the class "filter-table"; without scripts nothing changes.
"use strict";

function addFilter(place) {
  const rows = [...document.querySelectorAll("article table tbody tr")];
  const field = document.createElement("input");
  const count = document.createElement("p");
  field.type = "search";
  field.placeholder = "amazonec2 disk";
  field.setAttribute("aria-label", "Show only rows with these words");
  count.setAttribute("role", "status");

  const show = () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    count.textContent = `${shown} of ${rows.length} flags`;
    history.replaceState(null, "", words.length ? `#filter=${encodeURIComponent(field.value)}` : location.pathname);
  };

  place.replaceChildren(field, count);
  if (location.hash.startsWith("#filter=")) {
    field.value = decodeURIComponent(location.hash.slice("#filter=".length));
  }
  field.addEventListener("input", show);
  show();
}

document.querySelectorAll(".filter-table").forEach(addFilter);
