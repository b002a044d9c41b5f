// The panel beside the conversation: a cited page, or the documents.

import { Failure, fileName, make, page } from "./parts.js";

const SHOWN_PAGES = 3;
const narrow = matchMedia("(max-width: 48rem)");

let loading = new AbortController(); // aborts the page images
let opener = null; // gets the focus back

export function openPanel(view, title, from) {
  opener = from;
  page.source.hidden = view !== page.source;
  page.library.hidden = view !== page.library;
  page.panel.hidden = false;
  page["panel-title"].textContent = title;
  page.documents.setAttribute("aria-expanded", view === page.library);
  cover();
  point(null);
  view.scrollTop = 0;
  page["panel-title"].focus();
}

export function closePanel() {
  if (page.panel.hidden) return;
  page.panel.hidden = true;
  page.documents.setAttribute("aria-expanded", false);
  loading.abort();
  cover();
  point(null);
  (opener?.isConnected ? opener : page.question).focus();
}

/** On a phone the panel lies over everything else, which then cannot be reached. */
function cover() {
  page.app.inert = narrow.matches && !page.panel.hidden;
}

function point(at) {
  document.querySelectorAll("[aria-current]").forEach((one) => one.removeAttribute("aria-current"));
  at?.setAttribute("aria-current", "true");
}

export async function showSource(citation, from) {
  openPanel(page.source, fileName(citation.document), from);
  point(from);
  page.where.textContent = [place(citation), path(citation)].filter(Boolean).join(" · ");
  page.snippet.textContent = citation.snippet;
  page.pages.replaceChildren();
  loading.abort();
  const { signal } = (loading = new AbortController());
  const last = Math.min(citation.last_page, citation.page + SHOWN_PAGES - 1);
  for (let number = citation.page; number <= last && !signal.aborted; number++) {
    const figure = await pageImage(citation.document, number, signal);
    if (figure && !signal.aborted) page.pages.append(figure);
  }
}

/** The picture of a page; nothing where the document has none. */
async function pageImage(document, number, signal) {
  try {
    const response = await fetch(`v1/pages?${new URLSearchParams({ document, page: number })}`, { signal });
    if (response.status === 404) return null;
    if (!response.ok) throw new Failure(response.status, await response.json().catch(() => null));
    const address = URL.createObjectURL(await response.blob());
    const image = make("img", { src: address, alt: `Page ${number} of ${fileName(document)}` });
    await image.decode().finally(() => URL.revokeObjectURL(address));
    return make("figure", {}, image, make("figcaption", {}, `Page ${number}`));
  } catch (error) {
    const problem = `Page ${number} cannot be shown: ${error.message}`;
    return signal.aborted ? null : make("p", { className: "problem" }, problem);
  }
}

export const path = ({ heading }) => heading.replaceAll(" > ", " › ");

export function place({ document: name, page: first, last_page: last }) {
  if (!first || (!/\.pdf$/i.test(name) && last <= 1)) return ""; // Markdown and text have no pages
  return last > first ? `Pages ${first}–${last}` : `Page ${first}`;
}

narrow.addEventListener("change", cover);
page.close.addEventListener("click", closePanel);
