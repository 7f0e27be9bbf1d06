"use strict";
// Sorts a table by the column whose header is pressed; once more turns the order round.
for (const table of document.querySelectorAll("table:has(thead)")) {
  const headers = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b
      : typeof a !== typeof b ? (typeof a === "number" ? -1 : 1)
        : String(a).localeCompare(String(b), "en", { numeric: true });
  headers.forEach((header, column) => header.querySelector("button")?.addEventListener("click", () => {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of headers) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const body = table.tBodies[0];
    const rows = [...body.rows];
    rows.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
    body.append(...rows);
  }));
}
// What is folded away is printed all the same.
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details")) folded.open = true;
});
