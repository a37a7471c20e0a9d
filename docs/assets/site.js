// Maths by KaTeX and tables sorted by Tablesort, both served from this site.
function renderMaths(element) {
  const source = element.textContent.trim();
  const display = source.startsWith("\\[");
  katex.render(source.slice(2, -2), element, {
    displayMode: display,
    output: "htmlAndMathml",
    throwOnError: false,
  });
}

// Numbers come from data-sort; a value that was not measured is below every number.
Tablesort.extend("number", () => false, (a, b) => {
  const value = (text) => (text === "" || isNaN(text) ? -Infinity : Number(text));
  const [left, right] = [value(b), value(a)];
  return left === right ? 0 : left - right;
});

// On a phone a table of prose has no heads to see, and none to reach.
const phone = window.matchMedia("(max-width: 44.9375em)");

function makeSortable(table) {
  if (table.tBodies[0].rows.length < 2) return;
  new Tablesort(table, { descending: false });
  const heads = table.tHead.rows[table.tHead.rows.length - 1].cells;
  const reach = () => {
    const hidden = table.classList.contains("prose") && phone.matches;
    for (const head of heads) head.tabIndex = hidden ? -1 : 0;
  };
  reach();
  phone.addEventListener("change", reach);
  for (const head of heads) {
    head.title = "Sort";
    head.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        event.preventDefault();
        head.click();
      }
    });
  }
}

// The keyboard reaches a box only where there is something to scroll.
function reachBoxes() {
  for (const box of document.querySelectorAll(".table-box, .figure-box, div.arithmatex")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".arithmatex").forEach(renderMaths);
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  reachBoxes();
});
window.addEventListener("load", reachBoxes);
window.addEventListener("resize", reachBoxes);
document.addEventListener("toggle", reachBoxes, true);
