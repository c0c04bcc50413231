// The picture: where it comes from, what the model sees of it, what it says, and how pixels enter.
import { ask, hushed, say, upload } from "./api.js";
import { $, el, fill, image, number, percent } from "./dom.js";
import { change, now, on, onlyLatest } from "./state.js";

const RESIZE = ["stretch", "crop", "pad"];
const CHANNELS = ["RGB", "BGR", "GREY"];
const place = { list: el("div", { class: "thumbs", role: "radiogroup", "aria-label": "Pictures" }),
  views: el("div", { class: "pair" }), answer: el("div"), profile: el("form", { class: "profile" }) };

export function startPicture() {
  const input = el("input", { type: "file", accept: "image/*,.npy,.onnx", multiple: true, class: "unseen", id: "choose",
    "aria-label": "Choose pictures, arrays or models", onchange: hushed(() => take(input.files)) });
  fill($("picture"),
    el("div", { class: "drop" }, input, el("label", { for: "choose", class: "button", text: "Choose file" }),
      el("span", { class: "soft", text: "or drop or paste: a picture, an array (.npy), a model" })),
    place.list, place.views, place.answer, place.profile);
  document.addEventListener("dragover", (event) => { event.preventDefault(); document.body.classList.add("dragging"); });
  document.addEventListener("dragleave", () => document.body.classList.remove("dragging"));
  document.addEventListener("drop", hushed(async (event) => {
    event.preventDefault();
    document.body.classList.remove("dragging");
    await take(event.dataTransfer.files);
  }));
  document.addEventListener("paste", hushed((event) => take(event.clipboardData.files)));
  on("pictures", showList);
  on("picture", hushed(showPicture));
  on("facts", showProfile);
}

async function take(dropped) {
  for (const one of dropped) {
    const file = await upload(one);
    change({ files: [...now.files, file] });
    if (file.kind === "model") say(`${file.label} can be chosen where a method takes a model`);
    else if (document.body.dataset.tab !== "methods") change({ picture: file.key, tab: "picture" });
  }
}

function showList(pictures) {
  fill(place.list, pictures.map((one) => el("button", {
    role: "radio", type: "button", "aria-checked": String(one.key === now.picture), text: one.label, title: one.label,
    onclick: () => change({ picture: one.key }),
  })));
}

const showPicture = onlyLatest(async (isLatest, key) => {
  for (const button of place.list.children) {
    button.setAttribute("aria-checked", String(now.pictures[[...place.list.children].indexOf(button)]?.key === key));
  }
  if (!key) {
    fill(place.views, el("p", { class: "soft", text: "No picture yet: values, maps and attacks need one." }));
    return;
  }
  const own = await ask("own", { path: key });
  if (!isLatest()) return;
  const seen = await ask("seen", { model: now.model, path: key });
  if (!isLatest()) return;
  fill(place.views,
    figure(own.png && `/blobs/${own.png}`, `the file, ${own.text}`),
    figure(seen.png && `/blobs/${seen.png}`, `what the model sees, ${seen.size}`, "seen"));
  fill(place.answer, ...answer(seen));
  $("picture").dataset.ready = key;
});

function figure(source, caption, id = "") {
  return el("figure", id ? { id: `figure-${id}` } : {},
    el("div", { class: "frame" }, source ? image(source, caption) : el("p", { class: "soft", text: "no picture" })),
    el("figcaption", { text: caption }));
}

export function answer(said) {
  const rows = said.classes.map((one) => el("tr", {},
    el("th", { scope: "row", text: one.label }),
    el("td", { class: "bar" }, el("meter", { min: "0", max: "1", value: one.probability, "aria-label": one.label })),
    el("td", { class: "figure", text: percent(one.probability) })));
  return [
    rows.length ? el("table", { class: "classes", "aria-label": "What the model says" }, el("tbody", {}, rows)) : null,
    said.text ? el("p", { class: "said", text: said.text }) : null,
    said.reason ? el("p", { class: "warning", text: said.reason }) : null,
    ...(said.notes ?? []).map((text) => el("p", { class: "soft note", text })),
  ].filter(Boolean);
}

export function changeShown(found, views, said, text = "") {  // a changed picture, its change, and the verdict on it
  fill(views,
    el("figure", {}, el("div", { class: "frame" }, image(`/blobs/${found.png}`, `The picture ${text}`)), el("figcaption", { text: `L∞ ${number(found.linf)}, L2 ${number(found.l2)} grey levels` })),
    el("figure", {}, el("div", { class: "frame" }, image(`/blobs/${found.change}`, "The change")), el("figcaption", { text: "the change, stretched" })));
  fill(said, "success" in found ? el("p", { class: found.success ? "reached" : "warning", text: found.success ? `Reached: ${found.goal}` : `Not reached: ${found.goal}` }) : null, answer(found));
}

function showProfile(facts) {
  const profile = facts.profile;
  if (!profile) {
    fill(place.profile, el("p", { class: "soft", text: `No picture enters this model: ${facts.inputs.map((one) => `${one.name} is ${one.kind}`).join("; ")}. Drop a .npy file.` }));
    return;
  }
  const fields = Object.entries(profile.fields).map(([name, value]) => field(name, value, `profile_${name}` in facts.stated));
  fill(place.profile,
    el("h2", { text: "How pixels enter" }),
    el("p", { class: profile.assumed ? "warning" : "soft", text: profile.assumed
      ? `Assumed (${profile.name}): ${profile.reasons.join("; ")}. A wrong profile gives wrong answers without a word.`
      : `${profile.name}, from ${profile.source}${profile.via ? `; resized to ${profile.via} and cropped` : ""}` }),
    el("div", { class: "fields" }, fields),
    el("p", { class: "soft formula", text: "input = (scale · pixels − mean) / std" }),
    el("button", { type: "button", text: "As found", disabled: !Object.keys(facts.stated).some((name) => name.startsWith("profile_")),
      onclick: hushed(() => restate(Object.fromEntries(Object.keys(profile.fields).map((name) => [name, null])))) }));
}

function field(name, value, stated) {
  const choices = { resize: RESIZE, channels: CHANNELS }[name];
  const id = `profile-${name}`;
  const changed = hushed(() => restate({ [name]: $(id).value.trim() }));
  const input = choices
    ? el("select", { id, onchange: changed }, choices.map((one) => el("option", { text: one, selected: one === value })))
    : el("input", { id, value, onchange: changed, spellcheck: "false" });
  return el("div", { class: stated ? "field stated" : "field" }, el("label", { for: id, text: name }), input);
}

async function restate(fields) {
  const before = now.facts;
  try {
    const facts = await ask("profile", { model: now.model, fields });
    change({ facts });
    change({ picture: now.picture, value: now.value });
  } catch (error) {
    showProfile(before);
    say(error.message);
  }
}
