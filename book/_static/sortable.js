// Tables of the book can be sorted by a button in each of their headings. Without JavaScript they
// are what they were. Texts that are all numbers sort as numbers; empty cells stay last.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const style = document.createElement("style");
  style.textContent = `
    .hia-sort { all: unset; cursor: pointer; text-decoration: underline dotted; }
    .hia-sort:focus-visible { outline: 3px solid var(--pst-color-primary, blue); }
    th[aria-sort="ascending"] .hia-sort::after { content: " \\25b2"; content: " \\25b2" / ""; }
    th[aria-sort="descending"] .hia-sort::after { content: " \\25bc"; content: " \\25bc" / ""; }
    @media print { .hia-sort { text-decoration: none; } }`;
  document.head.append(style);
  for (const table of document.querySelectorAll("article table, .bd-article table"))
    if (canSort(table)) makeSortable(table);

  function canSort(table) {
    const cells = [...table.querySelectorAll("th, td")];
    return !table.closest("#hia-explorer") && !table.closest("table table") &&
      table.tHead?.rows.length === 1 && table.tBodies.length === 1 &&
      table.tBodies[0].rows.length > 1 && !table.tHead.querySelector("button") &&
      cells.every((cell) => cell.colSpan === 1 && cell.rowSpan === 1);
  }

  // A number as the book writes them: 1,234 · 5% · −0.3 · 1e-05 · 0.31 ± 0.02, else NaN.
  function number(text) {
    const plain = text.replace(/[\s,%]|±.*$/g, "").replace(/^[−–]/, "-");
    return plain === "" ? NaN : Number(plain);
  }

  function makeSortable(table) {
    const body = table.tBodies[0], original = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, position) => {
      if (head.textContent.trim() === "" || head.querySelector("a")) return;
      const lone = head.childElementCount === 1 ? head.firstElementChild : head;
      const inner = lone.tagName === "P" ? lone : head; // a button may be in a paragraph, not around
      const button = document.createElement("button");
      button.type = "button";
      button.className = "hia-sort";
      button.append(...inner.childNodes);
      inner.append(button);
      button.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
        const order = next === undefined ? "ascending" : next; // the third click undoes the sorting
        for (const other of heads) other.removeAttribute("aria-sort");
        if (order) head.setAttribute("aria-sort", order);
        body.append(...(order ? sorted(original, position, order === "descending") : original));
      });
    });
  }

  function sorted(rows, position, down) {
    const texts = new Map(rows.map((row) => [row, row.cells[position].textContent.trim()]));
    const filled = rows.filter((row) => texts.get(row) !== "");
    const numbers = filled.every((row) => !Number.isNaN(number(texts.get(row))));
    const compare = (a, b) => (numbers ? number(a) - number(b)
      : a.localeCompare(b, "en", { numeric: true }));
    filled.sort((a, b) => (down ? -1 : 1) * compare(texts.get(a), texts.get(b)));
    return [...filled, ...rows.filter((row) => texts.get(row) === "")];
  }
});
