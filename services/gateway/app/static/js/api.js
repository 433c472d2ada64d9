// Asks the gateway: under the tab's own key if there is one, else under the one that the browser has signed in with.

import { follow } from "./events.js";

const KEY = "api-key";

export class Problem extends Error {
  constructor(status, detail, errors) {
    super(detail);
    this.status = status;
    this.errors = errors ?? [];
  }
}

export const keyOfTab = () => sessionStorage.getItem(KEY);
export const setKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

let refused = () => {};
export const onRefused = (callback) => (refused = callback);

export const get = (path) => request("GET", path);
export const post = (path, body, headers) => request("POST", path, body, headers);
export const remove = (path) => request("DELETE", path);

// An ApiStream: {close()}; `on` maps names of events to callbacks, "open" and "lost" among them.
export function stream(path, on) {
  return follow((headers, signal) => send("GET", path, undefined, headers, signal), on);
}

async function request(method, path, body, headers) {
  const response = await send(method, path, body, headers);
  return response.status === 204 ? null : response.json();
}

async function send(method, path, body, headers = {}, signal = undefined) {
  const type = body === undefined ? {} : { "Content-Type": "application/json" };
  const { headers: own, credentials } = signIn();
  const init = { method, signal, headers: { ...type, ...headers, ...own }, credentials, cache: "no-store" };
  if (body !== undefined) init.body = typeof body === "string" ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The gateway cannot be reached.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

async function problemOf(response) {
  let told = {};
  try {
    told = await response.json();
  } catch {
    // Something between us and the gateway has answered.
  }
  const problem = new Problem(response.status, told.detail ?? `The answer was ${response.status}.`, told.errors);
  if (response.status === 401) refused(problem);
  return problem;
}

// Without the browser's key beside the tab's: the browser would forget its own when the tab's is refused.
function signIn() {
  const key = keyOfTab();
  if (!key) return { headers: {}, credentials: "same-origin" };
  // A header takes no characters beyond Latin-1; such a text is no key, and must be refused as one.
  return { headers: { "X-API-Key": key.replace(/[^\x20-\x7e]/g, "?") }, credentials: "omit" };
}
