"use strict";
(() => {
  const table = document.getElementById("items");
  if (table === null) return;
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = Array.from(table.tHead.rows[0].cells);
  const words = new Intl.Collator("en", { numeric: true });

  const valueOf = (row, place) => row.cells[place].dataset.sort ?? row.cells[place].textContent.trim();

  const sortBy = (head, place) => {
    const falling = head.getAttribute("aria-sort") === "ascending";
    const numeric = head.dataset.kind === "number";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falling ? "descending" : "ascending");
    const sorted = rows.slice().sort((one, other) => {
      const [a, b] = [valueOf(one, place), valueOf(other, place)];
      if (a === "" || b === "") return Number(a === "") - Number(b === ""); // what is missing comes last, both ways
      const order = numeric ? Number(a) - Number(b) : words.compare(a, b);
      return falling ? -order : order;
    });
    body.append(...sorted);
  };

  heads.forEach((head, place) => {
    if (head.dataset.kind === undefined) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sortBy(head, place));
    head.replaceChildren(button);
  });

  const bar = document.getElementById("bar");
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const show = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !wanted.every((word) => texts[place].includes(word));
      shown += Number(!row.hidden);
    });
    count.textContent = `${shown} of ${rows.length}`;
  };
  filter.addEventListener("input", show);
  bar.hidden = false;
  show();
})();
