// What the modules of the chat page share: the page's nodes, calls to the service, nodes made of text. Whatever the
// service sends becomes text nodes, never markup.

export const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((node) => [node.id, node]));

export class Failure extends Error {
  constructor(status, told) {
    const body = told?.error ?? told ?? {};
    super(body.message ?? `The service answered with status ${status} and no explanation.`);
    this.status = status;
    this.code = body.code;
    this.request = body.request_id ?? "";
  }
}

export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The service cannot be reached. Check the connection, then try again.");
  }
  if (response.ok) return response;
  if (response.status === 401 && path !== "session") document.dispatchEvent(new Event("locked"));
  throw new Failure(response.status, await response.json().catch(() => null));
}

// while two versions share the questions, a conversation stays with one of them
const session = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const headers = { "Content-Type": "application/json", "X-Session-ID": session };

export const send = (path, body, options = {}) =>
  call(path, { method: "POST", headers, body: JSON.stringify(body), ...options });

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read().catch(ended);
    if (done) return;
    const parts = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const name = lines.find((line) => line.startsWith("event:"))?.slice(6).trim() ?? "message";
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data && data.trim() !== "[DONE]") yield [name, JSON.parse(data)];
    }
  }
}

/** A broken line is a stream that ended too early, which whoever reads it can tell. */
function ended(error) {
  if (error.name === "AbortError") throw error;
  return { done: true };
}

export function make(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const copy = (id) => page[id].content.firstElementChild.cloneNode(true);
export const part = (node, name) => node.querySelector(`.${name}`);
export const fileName = (path) => path.split("/").at(-1);
