// What the server is asked, and what it says; errors are its own sentences.
import { $, el, fill } from "./dom.js";

const waiting = new Map();
let last = 0;

async function answered(response) {
  const answer = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
  if (!response.ok) throw new Error(answer.error ?? `the server answered ${response.status}`);
  return answer;
}

async function tracked(words, request) {
  const number = ++last;
  waiting.set(number, { words, since: Date.now() });
  showWaiting();
  try {
    return await answered(await request.catch(() => { throw new Error("the server is gone; start onnxray explore once more"); }));
  } finally {
    waiting.delete(number);
    showWaiting();
  }
}

function showWaiting() {
  const [first] = waiting.values();
  document.body.dataset.waiting = String(waiting.size);
  $("busy").textContent = first ? `${first.words} …` : "";
  $("end").hidden = !first || Date.now() - first.since < 8000;
}
setInterval(showWaiting, 2000);

const words = { model: "opening", graph: "laying out", way: "following", search: "searching", node: "reading",
  seen: "asking", value: "reading the value", cell: "differentiating", forms: "listing methods", profile: "opening" };

const json = { "content-type": "application/json" };
export const post = (path, body, told = "working") =>
  tracked(told, fetch(path, { method: "POST", headers: json, body: JSON.stringify(body) }));
export const ask = (question, body = {}) => post(`/ask/${question}`, body, words[question]);
export const get = (path) => tracked("reading", fetch(path));
export const stop = (run) => tracked("stopping", fetch(`/runs/${run}`, { method: "DELETE" }));
export const upload = (file) => tracked("reading the file",
  fetch("/files", { method: "POST", body: file, headers: { "x-label": encodeURIComponent(file.name ?? "pasted") } }));

export async function enter() {
  const token = location.hash.slice(1);
  if (!token) return;
  history.replaceState(null, "", "/");
  await answered(await fetch("/session", { method: "POST", body: token })).catch((error) => {
    throw new Error(error.message);
  });
}

export function follow(run, told) {
  const events = new EventSource(`/runs/${run}/events`);
  events.onmessage = (event) => {
    const state = JSON.parse(event.data);
    told(state);
    if (["done", "failed", "stopped"].includes(state.state)) events.close();
  };
  return events;
}

export function say(text) {
  const place = $("message");
  place.hidden = false;
  fill(place, el("span", { text }), el("button", { class: "quiet", text: "Close", onclick() { place.hidden = true; } }));
}

export const hushed = (work) => (...given) => Promise.resolve(work(...given)).catch((error) => say(error.message));
