// A field for each option of a method, files chosen among those of the page, and what the fields state.
import { $, el, fill } from "./dom.js";
import { now } from "./state.js";

const KINDS = { picture: "picture", array: "array", folder: "folder", model: "model" };
const BESIDE = { share: "or a share of the pictures (0.2)", value: "at the value" };

export function makeField(one, extra = null) {
  const id = `option-${one.name}`;
  const input = (MAKERS[one.kind] ?? text)(one, id, { "aria-describedby": `help-${one.name}` });
  const wide = ["text", "files"].includes(one.kind);
  const grouped = one.kind === "files" && one.many;
  return el("div", { class: wide ? "field wide" : "field", ...(grouped ? { role: "group", "aria-labelledby": `label-${one.name}` } : {}) },
    grouped ? el("span", { class: "label", id: `label-${one.name}`, text: one.label }) : el("label", { for: id, text: one.label }),
    el("div", { class: "line" }, input, extra),
    el("p", { class: "help", id: `help-${one.name}`, text: one.many && one.kind === "text" ? `${one.help}; several: divided by ;` : one.help }));
}

const preset = (one) => (one.default === null ? "" : String(one.default));
const option = (value, words, selected = false) => el("option", { value, text: words, selected });

const MAKERS = {
  choice: (one, id, help) => el("select", { id, ...help }, one.optional && one.default === null ? option("", "as by default") : null,
    one.choices.map((choice) => option(choice, choice, choice === preset(one)))),
  switch: (one, id, help) => el("select", { id, ...help }, [["true", "yes"], ["false", "no"]].map(([value, words]) => option(value, words, value === preset(one)))),
  slider: (one, id, help) => {  // the number says it, and may be beyond the slider's ends
    const typed = el("input", { id, ...help, type: "number", class: "short", step: "any", value: preset(one), oninput: () => { range.value = typed.value; } });
    const range = el("input", { type: "range", min: one.least, max: one.most, step: one.step, value: preset(one) || String(one.least), "aria-label": `${one.label}, as a slider`,
      oninput: () => { typed.value = range.value; } });
    return el("span", { class: "slider" }, range, typed);
  },
  files: (one, id, help) => [
    one.many ? el("div", { id, class: "choices" }) : el("select", { id, ...help }),
    one.beside ? el("input", { id: `${id}-beside`, "aria-label": `${one.label}, ${BESIDE[one.beside]}`, placeholder: BESIDE[one.beside], spellcheck: "false" }) : null],
};

function text(one, id, help) {
  return el("input", { id, ...help, type: one.kind === "number" ? "number" : "text", value: preset(one), step: one.step === "any" ? "any" : String(one.step),
    min: one.least, max: one.most, placeholder: one.default === null ? "as by default" : "", spellcheck: "false" });
}

export function showFiles(fields) {  // whenever there are more; what is chosen stays chosen
  for (const one of fields) {
    const place = one.kind === "files" && $(`option-${one.name}`);
    if (!place) continue;
    const before = new Set(chosen(one, place));
    const own = now.files.filter((file) => file.kind === "model")[now.model];  // it stands beside others, not itself
    const there = now.files.filter((file) => one.accepts.includes(file.kind) && file !== own && !(file.made && one.accepts.includes("picture")));
    const none = el("p", { class: "soft", text: `drop a ${one.accepts.map((kind) => KINDS[kind]).join(" or ")} on the page to choose it` });
    if (one.many) {
      fill(place, there.length ? there.map((file) => el("label", { class: "check" },
        el("input", { type: "checkbox", value: file.key, checked: before.has(file.key) }), ` ${label(file)}`)) : none);
    } else {
      fill(place, option("", there.length ? (one.needed ? "choose one" : "none") : none.textContent), there.map((file) => option(file.key, label(file), before.has(file.key))));
    }
  }
}

const label = (file) => (file.kind === "picture" ? file.label : `${file.label} (${KINDS[file.kind]})`);
const chosen = (one, place) => (one.many ? [...place.querySelectorAll("input:checked")].map((input) => input.value) : [place.value].filter(Boolean));

export function stated(fields) {
  const [options, files] = [{}, {}];
  for (const one of fields) {
    const input = $(`option-${one.name}`);
    if (!input) continue;
    if (one.kind === "files") {
      const keys = chosen(one, input);
      const beside = $(`option-${one.name}-beside`)?.value.trim();
      if (keys.length) files[one.name] = keys;
      if (beside) options[one.name] = beside;
    } else if (input.value !== preset(one) && input.value !== "") {
      options[one.name] = one.kind === "switch" ? input.value === "true" : one.many ? input.value.split(";").map((part) => part.trim()).filter(Boolean) : input.value;
    }
  }
  return { options, files };
}
