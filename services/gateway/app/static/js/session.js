// Signing in: the key is asked for once, checked, and kept for this tab.

import * as api from "./api.js";
import { byId, setText } from "./dom.js";
import { keyName, setRights } from "./rights.js";

// Calls `begin` when there is a key that the gateway knows, and `end` when there is none any more.
export function startSession(begin, end) {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    api.setKey(byId("key-input").value.trim());
    check(begin);
  });
  byId("change-key").addEventListener("click", () => {
    api.forgetKey();
    location.reload(); // with nothing left of what the key could see
  });
  byId("key-dialog").addEventListener("cancel", (event) => event.preventDefault());
  api.onRefused((problem) => {
    if (!api.keyOfTab()) return;
    api.forgetKey();
    end();
    askForKey(problem.message);
  });
  if (api.keyOfTab()) check(begin);
  else askForKey("");
}

async function check(begin) {
  try {
    setRights(await api.get("/key"));
  } catch (error) {
    askForKey(error.status === 401 ? "The gateway does not know this key." : error.message);
    return;
  }
  byId("key-input").value = "";
  byId("key-dialog").close();
  setText(byId("change-key"), `Key: ${keyName()}`);
  begin();
}

function askForKey(problem) {
  setText(byId("key-problem"), problem);
  setText(byId("change-key"), "Key: none");
  if (!byId("key-dialog").open) byId("key-dialog").showModal();
  byId("key-input").focus();
}
