// Asks the gateway, under the key of this tab.

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
  const init = { method, signal, headers: { ...type, ...headers, "X-API-Key": encodeKey() }, cache: "no-store" };
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

// A header takes no characters beyond Latin-1; such a text is no key, and must be refused as one.
const encodeKey = () => (keyOfTab() ?? "").replace(/[^\x20-\x7e]/g, "?");
