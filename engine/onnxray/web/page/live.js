// What a method would give, shown while its options are chosen: LOTS along its scale, attacks within their eps.
import { post } from "./api.js";
import { $, el, fill } from "./dom.js";
import { changeShown } from "./picture.js";
import { onlyLatest } from "./state.js";

const WAIT = 120;  // milliseconds in which a slider may go on
const MOST = 255;  // grey levels that LOTS can be told to go to

export function livePanel(method, stated) {
  const lots = method.path[0] === "lots";
  const eps = method.fields.find((one) => one.name === "eps");
  const [views, said, told] = [el("div", { class: "pair" }), el("div", { "aria-live": "polite" }), el("output")];
  const range = el("input", { id: "live-slider", type: "range", ...(lots ? { min: "0", max: "512", step: "0.5" } : { min: eps.least, max: eps.most, step: eps.step }),
    value: lots ? "16" : String(eps.default), "aria-label": lots ? "Scale of the LOTS perturbation" : "eps" });
  let timer = 0;
  const look = onlyLatest(async (isLatest) => {
    if (!panel.isConnected) return;
    const at = lots ? range.value : $("option-eps").value;
    const found = await post("/tried", { ...stated(), ...(lots ? { scale: Number(at) } : {}) }, "trying").catch((error) => ({ reason: error.message }));
    if (!isLatest() || !panel.isConnected) return;
    if (found.png) changeShown(found, views, said, `at ${at}`);
    else {
      fill(views);
      fill(said, el("p", { class: "soft", text: found.reason }));
    }
    panel.dataset.tried = at;
  });
  const stop = lots ? el("button", { type: "button", text: "Let the run stop there", title: "until: linf, linf: this scale", onclick() {
    $("option-until").value = "linf";
    $("option-linf").value = range.value;
    $("option-linf").dispatchEvent(new Event("input", { bubbles: true }));
  } }) : null;
  const soon = () => {
    if (!lots) range.value = $("option-eps").value;
    told.textContent = lots ? range.value : $("option-eps").value;
    if (stop) stop.disabled = Number(range.value) < 1 || Number(range.value) > MOST;
    clearTimeout(timer);
    if (panel.open) timer = setTimeout(look, WAIT);
  };
  range.addEventListener("input", (event) => {
    event.stopPropagation();
    if (lots) return soon();
    $("option-eps").value = range.value;
    return $("option-eps").dispatchEvent(new Event("input", { bubbles: true }));
  });
  const panel = el("details", { id: "live", ontoggle: soon },
    el("summary", { text: lots ? "Try it: slide over the scale, with the judge's verdict" : "Try it: slide over eps, with the judge's verdict" }),
    lots ? null : el("p", { class: "soft", text: "The attack itself, at once on this picture and into no folder, whenever an option changes." }),
    el("div", { class: "slider" }, range, told, stop), views, said);
  return { panel, soon };
}
