// Maths by KaTeX and tables sorted by Tablesort, both served from this site.
function renderMaths(element) {
  const source = element.textContent.trim();
  const display = source.startsWith("\\[");
  katex.render(source.slice(2, -2), element, {
    displayMode: display,
    output: "htmlAndMathml",
    throwOnError: false,
  });
  // A long equation scrolls, so the keyboard has to reach it.
  if (display) element.querySelector(".katex-display").tabIndex = 0;
}

// Numbers come from data-sort; a value that was not measured is below every number.
Tablesort.extend("number", () => false, (a, b) => {
  const value = (text) => (text === "" || isNaN(text) ? -Infinity : Number(text));
  const [left, right] = [value(b), value(a)];
  return left === right ? 0 : left - right;
});

function makeSortable(table) {
  new Tablesort(table, { descending: false });
  for (const head of table.tHead.rows[table.tHead.rows.length - 1].cells) {
    head.addEventListener("keydown", (event) => {
      if (event.key === " ") {
        event.preventDefault();
        head.click();
      }
    });
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelector(".md-search")?.setAttribute("aria-label", "Search");
  document.querySelectorAll(".arithmatex").forEach(renderMaths);
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
});
