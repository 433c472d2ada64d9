// The stream of snapshots, and whether it flows.

import * as api from "./api.js";
import { byId, set, setText } from "./dom.js";
import { clock } from "./format.js";
import { addSnapshot, setHistory } from "./past.js";
import { say } from "./toast.js";

let stream = null;
let lostBefore = false;

// Calls each of `parts` with each snapshot.
export function startOverview(parts) {
  stream?.close();
  stream = api.stream("/overview/events", {
    open: () => {
      if (lostBefore) say("The connection is back.");
      lostBefore = false;
    },
    history: (history) => void setHistory(history),
    snapshot: (snapshot) => void show(snapshot, parts),
    lost,
  });
}

export function stopOverview() {
  stream?.close();
  state("off", "not connected");
}

function show(snapshot, parts) {
  problem(snapshot.problem);
  if (!snapshot.queues) return; // nothing has been read yet
  state(snapshot.problem ? "lost" : "on", snapshot.problem ? `as of ${clock(snapshot.at)}` : "live");
  if (!snapshot.problem) addSnapshot(snapshot);
  if (document.hidden) return; // nobody sees it
  for (const part of parts) part(snapshot);
}

function lost(error, again) {
  if (error?.status === 401) return;
  if (again && !lostBefore) say("The connection to the gateway is lost; trying again.", "error");
  lostBefore = again;
  state("lost", again ? "connecting again" : "no access");
  if (!again) problem(error.message);
}

function problem(text) {
  setText(byId("problem"), text ?? "");
  byId("problem").hidden = !text;
}

function state(name, text) {
  set(byId("live"), "data-state", name);
  setText(byId("live-text"), text);
}
