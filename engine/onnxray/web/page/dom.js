// Elements made of plain values: whatever a model or a file is called, its text stays text.

export const $ = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "text") made.textContent = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined));
  return made;
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((one) => one !== null && one !== undefined));
  return element;
}

export function number(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

/** A share in percent; what is not all, or not nothing, is not rounded to it. */
export function percent(share) {
  if (share < 1 && share >= 0.99995) return "> 99.99 %";
  if (share > 0 && share < 0.00005) return "< 0.01 %";
  return `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 2 : 1)} %`;
}

export function image(source, name, attributes = {}) {
  return el("img", { src: source || null, alt: name, decoding: "async", ...attributes, onload: pixelate });
}

function pixelate(event) {  // small pictures are looked at pixel by pixel
  const { naturalWidth: width, clientWidth: shown } = event.target;
  event.target.classList.toggle("pixels", width > 0 && shown >= 2 * width);
}

export function table(rows, name) {
  return el("table", { "aria-label": name },
    el("tbody", {}, rows.map(([key, value]) => el("tr", {}, el("th", { scope: "row", text: key }), el("td", {}, value)))));
}

export function copyButton(text) {
  const button = el("button", { class: "quiet", type: "button", text: "Copy", async onclick() {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } });
  return button;
}
