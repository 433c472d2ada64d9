// The dead letters: a page of them at a time, read anew when their number has changed.

import * as api from "./api.js";
import { byId, h, keyed, set, setText } from "./dom.js";
import { moment, plural } from "./format.js";
import { discard, openLetter, replay } from "./letter.js";
import { guard, guarded } from "./rights.js";
import { complain } from "./toast.js";

const PAGE = 25;
const PAUSE = 2000; // ms between two readings that nobody asked for

let letters = [];
let next = null;
let seen = "";
let readAt = 0;
let filter = {};

export function startDeadLetters() {
  byId("dead-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    filter = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value.trim()));
    read();
  });
  byId("dead-more").addEventListener("click", more);
  document.addEventListener("letter-gone", ({ detail }) => {
    letters = letters.filter((letter) => letter.id !== detail.id || letter.service !== detail.service);
    show();
  });
}

export function showDead(snapshot) {
  const all = snapshot.dead.reduce((sum, service) => sum + service.letters, 0);
  setText(byId("dead-count"), all ? plural(all, "letter", "letters") : "");
  options("service", snapshot.dead.filter((one) => one.letters).map((one) => one.service));
  options("reason", [...new Set(snapshot.dead.flatMap((one) => Object.keys(one.reasons)))].sort());
  const now = JSON.stringify(snapshot.dead.map((one) => [one.service, one.letters, one.newest]));
  if (now === seen || Date.now() - readAt < PAUSE) return;
  seen = now;
  if (letters.length <= PAGE) read(); // who has gone on to older ones keeps them until the next filter
}

function options(name, values) {
  const select = byId("dead-filter").elements[name];
  const kept = select.value;
  const wanted = ["", ...new Set([...values, ...(kept ? [kept] : [])])];
  if (wanted.join("\n") === [...select.options].map((option) => option.value).join("\n")) return;
  select.replaceChildren(...wanted.map((value) => h("option", { value }, value || "all")));
  select.value = kept;
}

const query = (cursor) => new URLSearchParams({ ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) });

async function read() {
  readAt = Date.now();
  try {
    const page = await api.get(`/dead-letters?${query()}`);
    [letters, next] = [page.letters, page.next];
    show();
  } catch (error) {
    seen = "";
    complain(error);
  }
}

async function more() {
  try {
    const page = await api.get(`/dead-letters?${query(next)}`);
    [letters, next] = [[...letters, ...page.letters], page.next];
    show();
  } catch (error) {
    complain(error);
  }
}

function show() {
  setText(byId("dead-empty"), Object.keys(filter).length ? "No dead letter fits the filter." : "No dead letters.");
  byId("dead-empty").hidden = letters.length > 0;
  byId("dead-more").hidden = !next;
  keyed(byId("dead-list"), letters, (letter) => `${letter.service} ${letter.id}`, makeRow);
}

function makeRow(letter) {
  const name = letter.task ?? "message without a task";
  const times = h("span", { class: "dim" });
  const error = h("p", { class: "cut" });
  const button = (label, act) => h("button", { type: "button", onclick: guarded(act), "aria-label": `${label} ${name}, ${letter.id}` }, label);
  const acts = {
    read: button("Show", () => openLetter(letter)),
    replay: button("Replay", () => replay(letter)),
    discard: button("Discard", () => discard(letter)),
  };
  const element = h("li", { class: "row letter" },
    h("div", { class: "head" },
      h("strong", { class: "break" }, name), h("span", { class: "badge bad" }, letter.reason), h("span", { class: "acts" }, ...Object.values(acts))),
    error, times);
  function update(now) {
    setText(error, now.error);
    setText(times, `${moment(now.last)} · ${now.service}${now.attempts > 1 ? ` · died ${now.attempts} times` : ""}`);
    set(times, "title", now.id);
    for (const [verb, act] of Object.entries(acts)) guard(act, verb, letter.task);
  }
  return { element, update };
}
