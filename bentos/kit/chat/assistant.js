// The page before an assistant: the choice of models, and streamed completions told as the page's own events.

import { call, events, Failure, make, page, send } from "./parts.js";

const CHOSEN = "penstock.model"; // what this tab keeps
const BUSY = "The assistant is busy with other answers. Try again in a moment.";
const FULL = "The conversation is too long for this model. Start a new one, or send a shorter message.";
const LENGTH = "Cut off here: the answer reached its greatest length.";
const NOTES = {
  loop: "Ended here: it began to repeat itself.",
  context: "Cut off here: the conversation fills the model's memory. Start a new one to go on.",
  max_tokens: LENGTH,
  length: LENGTH,
};

export let talks = false; // whether an assistant answers here

/** What the page's head shows, or the problem; `told` is what /info said, which not every key may read. Only
 * assistants list models. */
export async function meet(told) {
  const unsure = told.status && told.status !== 401;
  talks = told.kind === "assistant";
  if (!talks && !unsure) return told;
  try {
    const [first] = await list();
    talks = true;
    return unsure ? { release: first.id, version: first.version } : told;
  } catch (error) {
    talks ||= error.status !== 404;
    return talks ? error : told;
  } finally {
    if (talks) dress();
  }
}

function dress() {
  page.release.textContent = document.title = "Assistant";
  page.greeting.textContent = "Talk to the assistant";
  page.promise.textContent =
    "A language model answers from its training. It looks nothing up and can be wrong where it sounds sure: check what matters.";
  page.asking.textContent = "Your message";
  page.question.placeholder = "Write a message";
  page.question.removeAttribute("maxlength"); // the model's own limit is in tokens
}

/** Offer the models; the one that serves comes first and is chosen unless this tab has chosen another. */
async function list() {
  const { data } = await (await call("v1/models")).json();
  const kept = sessionStorage.getItem(CHOSEN);
  page.model.replaceChildren(...data.map(({ id }) => make("option", { value: id }, id)));
  page.model.value = data.some(({ id }) => id === kept) ? kept : data[0].id;
  return data;
}

export async function* answers(messages, signal) {
  const { response, model } = await begun(messages, signal);
  let text = "";
  let version = "";
  let why = "";
  for await (const [, data] of events(response)) {
    if (data.error) throw new Failure(data.error.status, data);
    const [choice] = data.choices;
    const piece = choice?.delta.content;
    if (piece) {
      text += piece;
      yield ["delta", { text: piece }];
    }
    version = data.system_fingerprint.slice(1);
    if (choice?.finish_reason) why = data.penstock?.why[0] ?? choice.finish_reason;
  }
  if (!why) return;
  const note = text.trim() ? NOTES[why] : "The answer is empty.";
  const told = { answered: true, answer: text, citations: [], request_id: response.headers.get("X-Request-ID") };
  yield ["done", { ...told, note, by: `${model}, version ${version}` }];
}

async function begun(messages, signal) {
  try {
    if (!page.model.value) await list();
    const model = page.model.value;
    return { model, response: await send("v1/chat/completions", { model, messages, stream: true }, { signal }) };
  } catch (error) {
    if (error.status === 429) error.message = BUSY;
    if (error.code === "context_length_exceeded") error.message = FULL;
    if (error.status === 404) await list().catch(() => {}); // the model is not offered any more
    throw error;
  }
}

page.model.addEventListener("change", () => sessionStorage.setItem(CHOSEN, page.model.value));
