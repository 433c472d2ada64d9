// Signing in: by the key that the browser asked for, or by another one for this tab.

import * as api from "./api.js";
import { byId, setText } from "./dom.js";
import { keyName, setRights } from "./rights.js";

let signedIn = false;

// Calls `begin` when there is a key that the gateway knows, and `end` when there is none any more.
export function startSession(begin, end) {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    api.setKey(byId("key-input").value.trim());
    if (signedIn) location.reload(); // with nothing left of what the key before could see
    else check(begin); // a page that the browser's key opens no more cannot be loaded anew
  });
  byId("change-key").addEventListener("click", () => askForKey(""));
  byId("key-cancel").addEventListener("click", () => byId("key-dialog").close());
  byId("key-dialog").addEventListener("close", () => signedIn || location.reload()); // under the browser's key
  api.onRefused((problem) => {
    signedIn = false;
    api.forgetKey();
    end();
    setText(byId("change-key"), "Key: none");
    askForKey(problem.message);
  });
  check(begin);
}

async function check(begin) {
  try {
    setRights(await api.get("/key"));
  } catch (error) {
    if (error.status !== 401) askForKey(error.message);
    return;
  }
  signedIn = true;
  byId("key-input").value = "";
  byId("key-dialog").close();
  setText(byId("change-key"), `Key: ${keyName()}`);
  begin();
}

function askForKey(problem) {
  setText(byId("key-problem"), problem);
  if (!byId("key-dialog").open) byId("key-dialog").showModal();
  byId("key-input").focus();
}
