// The jobs that somebody follows here, each to its end.

import * as api from "./api.js";
import { ask } from "./ask.js";
import { byId, h, set, setText } from "./dom.js";
import { json } from "./format.js";
import { makeProgress } from "./progress.js";
import { guard, guarded, may } from "./rights.js";
import { complain, say } from "./toast.js";

const MOST = 10;
const followed = new Map(); // id -> {element, close}
const STATES = { PENDING: "waits", PROGRESS: "runs", STARTED: "runs", RETRY: "is tried again", SUCCESS: "done", FAILURE: "failed", REVOKED: "cancelled" };
const KINDS = { SUCCESS: "good", FAILURE: "bad", REVOKED: "warn" };

export function startJobs() {
  byId("follow").addEventListener("submit", (event) => {
    event.preventDefault();
    const field = byId("follow-id");
    const id = field.value.trim();
    if (id) followJob(id, null);
    field.value = "";
  });
}

// Show a job until it has ended, and after.
export function followJob(id, name) {
  followed.get(id)?.close();
  const card = makeCard(id, name);
  followed.set(id, card);
  byId("jobs").prepend(card.element);
  if (followed.size > MOST) [...followed.values()][0].close();
  card.element.scrollIntoView({ block: "nearest" });
  card.element.focus();
}

export async function cancel(id, name) {
  const text = "If it waits it will not run; if it runs it is ended, wherever it is.";
  if (!(await ask(`Cancel ${name ?? id}?`, text, "Cancel the job"))) return;
  try {
    await api.remove(`/jobs/${encodeURIComponent(id)}`);
    say(`${name ?? id} is cancelled.`);
  } catch (error) {
    complain(error);
  }
}

function makeCard(id, name) {
  const title = h("strong", { class: "break" }, name ?? "Job");
  const badge = h("span", { class: "badge" }, "waits");
  const progress = makeProgress(`Progress of ${name ?? id}`);
  const outcome = h("div", { class: "outcome" });
  const stop = h("button", { type: "button", onclick: guarded(() => cancel(id, title.textContent)), "aria-label": `Cancel ${name ?? id}` }, "Cancel");
  const shut = h("button", { type: "button", onclick: () => close(true), "aria-label": `Close ${name ?? id}` }, "Close");
  const element = h("li", { class: "row job", tabindex: -1, "aria-label": `${name ?? "Job"} ${id}`, "data-job": id },
    h("div", { class: "head" }, title, badge, h("span", { class: "acts" }, stop, shut)),
    h("div", { class: "dim break" }, id), progress.element, outcome);
  guard(stop, "cancel", name);

  const stream = api.stream(`/jobs/${encodeURIComponent(id)}/events`, { message: show, lost });

  function show(job) {
    if (job.name) setText(title, job.name);
    setText(badge, STATES[job.status] ?? job.status);
    set(badge, "class", `badge ${KINDS[job.status] ?? ""}`);
    set(element, "data-status", job.status);
    progress.update(job.progress);
    const ended = job.status in KINDS;
    if (!ended) return false;
    stop.hidden = true;
    outcome.replaceChildren(...outcomeOf(job));
    say(`${job.name ?? id} ${STATES[job.status]}.`, job.status === "FAILURE" ? "error" : "info");
    return true;
  }

  function lost(error, again) {
    if (again) return;
    outcome.replaceChildren(h("p", { class: "error" }, may("read", name) ? error.message : "Your key may not read what becomes of it."));
    stop.hidden = true;
  }

  function close(focus) {
    stream.close();
    followed.delete(id);
    if (focus) (element.nextElementSibling?.querySelector("button") ?? byId("follow-id")).focus();
    element.remove();
  }

  return { element, close };
}

function outcomeOf(job) {
  if (job.status === "SUCCESS") return [h("pre", { tabindex: 0, role: "group", "aria-label": "Result" }, json(job.result))];
  const { type = "", message = "", errors = [] } = job.error ?? {};
  const wrong = errors.map(({ field, problem }) => h("li", {}, `${field}: ${problem}`));
  return [h("p", { class: "error" }, [type, message].filter(Boolean).join(": ")), wrong.length ? h("ul", {}, ...wrong) : null].filter(Boolean);
}
