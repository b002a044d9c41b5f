// The documents: the list, uploads with their progress and their state, deletion.

import { closePanel, openPanel } from "./panel.js";
import { Failure, call, copy, page, part } from "./parts.js";

const STATES = {
  pending: "Waiting to be indexed",
  indexed: "Indexed",
  failed: "Could not be used",
  deleted: "Deleted",
};

const shown = () => !page.panel.hidden && !page.library.hidden;

export async function showLibrary() {
  openPanel(page.library, "Documents", page.documents);
  page["library-problem"].textContent = "";
  try {
    const { documents, total } = await (await call("v1/documents")).json();
    page.shelf.replaceChildren(...page.shelf.querySelectorAll(".uploading"), ...documents.map((one) => row(one)));
    const more = total - documents.length;
    page.bare.textContent = more > 0 ? `${more} more are not listed here.` : "Nothing is listed yet.";
    page.bare.hidden = documents.length > 0 && more <= 0;
  } catch (error) {
    page["library-problem"].textContent = error.message;
  }
}

function row(told, node = copy("document")) {
  const { id, path, name, title, status, pages, reason, note } = told;
  const remove = part(node, "delete");
  const length = pages ? `${pages} page${pages > 1 ? "s" : ""}` : "";
  const state = [title === name ? "" : title, STATES[status] ?? status, length, reason, note];
  node.className = status;
  part(node, "title").textContent = name;
  part(node, "title").title = path ?? name;
  part(node, "state").textContent = state.filter(Boolean).join(" · ");
  node.querySelector("progress").hidden = true;
  remove.hidden = !id || status === "deleted";
  remove.setAttribute("aria-label", `Delete ${name}`);
  remove.onclick = () => sure(remove) && forget(node, told);
  remove.onblur = () => relabel(remove, false, name);
  if (id && node.dataset.id !== id) {
    page.shelf.querySelector(`[data-id="${CSS.escape(id)}"]`)?.remove();
    node.dataset.id = id;
    if (status === "pending") follow(node, id);
  }
  return node;
}

function relabel(button, sure, name) {
  button.classList.toggle("sure", sure);
  button.textContent = sure ? "Take out?" : "Delete";
  button.setAttribute("aria-label", sure ? "Press again to take it out of the answers" : `Delete ${name}`);
}

/** The first press asks, the second one means it. */
function sure(button) {
  if (button.classList.contains("sure")) return true;
  relabel(button, true);
  return false;
}

async function forget(node, told) {
  try {
    const response = await call(`v1/documents/${encodeURIComponent(told.id)}`, { method: "DELETE" });
    row({ ...told, ...(await response.json().catch(() => ({}))), status: "deleted" }, node);
    page["panel-title"].focus();
  } catch (error) {
    page["library-problem"].textContent = error.message;
  }
}

/** Ask for the state of an upload, ever more rarely, until it is decided or out of sight; the list is drawn anew. */
async function follow(node, id) {
  for (let wait = 1000; ; wait = Math.min(wait * 1.5, 20000)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    if (!node.isConnected || !node.classList.contains("pending") || !shown()) return;
    try {
      row(await (await call(`v1/documents/${encodeURIComponent(id)}`)).json(), node);
    } catch (error) {
      if (error.status === 404) return node.remove();
      part(node, "state").textContent = error.message;
    }
  }
}

function upload(file) {
  const node = copy("document");
  const bar = node.querySelector("progress");
  const tell = (words) => (part(node, "state").textContent = words);
  const refuse = (reason) => row({ name: file.name, status: "failed", reason }, node);
  const request = new XMLHttpRequest(); // fetch tells nothing of how far an upload is
  node.className = "uploading";
  part(node, "title").textContent = file.name;
  bar.hidden = false;
  page.bare.hidden = true;
  page.shelf.prepend(node);
  request.open("POST", "v1/documents");
  request.responseType = "json";
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = loaded / total;
    tell(loaded < total ? `Uploading, ${Math.round((100 * loaded) / total)} %` : "Being looked at");
  });
  request.addEventListener("load", () => {
    if (request.status === 401) document.dispatchEvent(new Event("locked"));
    if (request.status < 300) row(request.response, node);
    else refuse(new Failure(request.status, request.response).message);
  });
  request.addEventListener("error", () => refuse("The connection ended too early; the file may be too large."));
  const form = new FormData();
  form.append("file", file);
  request.send(form);
}

document.addEventListener("locked", () => page.shelf.replaceChildren());
page.documents.addEventListener("click", () => (shown() ? closePanel() : showLibrary()));
page.file.addEventListener("change", () => {
  [...page.file.files].forEach(upload);
  page.file.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  page.drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => event.relatedTarget || page.drop.classList.remove("over"));
document.addEventListener("drop", async (event) => {
  event.preventDefault();
  page.drop.classList.remove("over");
  if (page.documents.hidden) return;
  const files = [...event.dataTransfer.files]; // gone once the event is over
  if (!shown()) await showLibrary();
  files.forEach(upload);
});
