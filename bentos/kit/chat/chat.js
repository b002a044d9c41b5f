// The conversation: asks, shows the answer as it comes and the sources it rests on; the key, and the page's start.

import { answers, meet, talks } from "./assistant.js";
import { showLibrary } from "./library.js";
import { closePanel, path, place, showSource } from "./panel.js";
import { call, copy, events, Failure, fileName, make, page, part, send } from "./parts.js";

const KEPT = 9; // messages of the conversation that are sent, the question among them
const ELSEWHERE = "Ask in other words, or add a document that covers it.";
const LONGEST = 2000; // characters of an answer that are sent again

let messages = [];
let running = null; // aborts the answer that is being written

/** Paragraphs of text; where a number in brackets is one of the citations, it becomes a button. */
function prose(text, citations) {
  return text.trim().split(/\n{2,}/).map((paragraph) => {
    const node = make("p");
    for (const [index, line] of paragraph.split("\n").entries()) {
      if (index) node.append(make("br"));
      for (const piece of line.split(/(\[\d{1,3}\])/)) {
        const cited = /^\[\d+\]$/.test(piece) && citations.get(Number(piece.slice(1, -1)));
        if (cited) node.append(marker(cited));
        else node.append(piece.replace(/ $/, "\u00a0")); // a marker stays on the line of the word before it
      }
    }
    return node;
  });
}

function marker(citation) {
  const named = `Source ${citation.number}: ${fileName(citation.document)}`;
  const label = [named, place(citation)].filter(Boolean).join(", ");
  const button = make("button", { type: "button", className: "mark", "aria-label": label }, String(citation.number));
  button.addEventListener("click", () => showSource(citation, button));
  return button;
}

function sourceLine(citation) {
  const button = make("button", { type: "button", title: citation.document },
    make("span", { className: "mark" }, String(citation.number)),
    make("span", { className: "title" }, fileName(citation.document)),
    make("span", { className: "page" }, place(citation)));
  if (citation.heading) button.append(make("span", { className: "heading" }, path(citation)));
  button.addEventListener("click", () => showSource(citation, button));
  return make("li", {}, button);
}

// asking

async function ask(question) {
  const turn = copy("turn");
  part(turn, "asked").textContent = question;
  page.turns.append(turn);
  const mine = (running = new AbortController());
  const asked = [...messages, { role: "user", content: question }];
  busy(turn, true);
  page.welcome.hidden = true;
  turn.scrollIntoView({ block: "start" });
  let text = "";
  try {
    const { signal } = mine;
    const body = { messages: asked.slice(-KEPT), stream: true };
    const told = talks ? answers(asked, signal) : events(await send("v1/ask", body, { signal }));
    for await (const [name, data] of told) {
      if (name === "delta") draw(turn, (text += data.text));
      else if (name === "error") throw new Failure(500, data);
      else if (name === "done") return finish(turn, data, asked);
    }
    throw new Error("The answer was cut off before its end. Try again.");
  } catch (error) {
    if (error.name !== "AbortError") failed(turn, error, question, text);
    else if (running === mine) stopped(turn, text, asked);
  } finally {
    if (running === mine) {
      running = null;
      busy(turn, false);
    }
  }
}

function busy(turn, on) {
  turn.classList.toggle("busy", on);
  turn.setAttribute("aria-busy", on);
  page.fresh.hidden = on;
  page.send.hidden = on;
  page.stop.hidden = !on;
  if (on) page.spoken.textContent = "Answering";
}

/** Keep the end in view while something is added to it, unless the reader has scrolled away from it. */
function atEnd(change) {
  const low = page.talk.scrollHeight - page.talk.scrollTop - page.talk.clientHeight < 80;
  change();
  if (low) page.talk.scrollTop = page.talk.scrollHeight;
}

function draw(turn, text, citations = new Map()) {
  turn.classList.remove("busy");
  atEnd(() => part(turn, "prose").replaceChildren(...prose(text, citations)));
}

function finish(turn, told, asked) {
  remember(asked, talks ? told.answer : told.answer.slice(0, LONGEST).replace(/[\ud800-\udbff]$/, "") || "-");
  draw(turn, told.answer, new Map(told.citations.map((one) => [one.number, one])));
  if (!told.answered) {
    judge(turn, "absent", "Not in the documents");
    told.note = ELSEWHERE;
  }
  if (told.note) part(turn, "prose").append(make("p", { className: "quiet" }, told.note));
  part(turn, "by").textContent = told.by ?? "";
  part(turn, "sources").replaceChildren(...told.citations.map(sourceLine));
  atEnd(() => (part(turn, "after").hidden = false));
  rateable(turn, told.request_id);
  const count = told.citations.length;
  const more = talks ? (told.note ?? "") : `${count} source${count === 1 ? "" : "s"}.`;
  page.spoken.textContent = `${told.answer} ${more}`;
}

function remember(asked, answer) {
  messages = [...asked, { role: "assistant", content: answer }];
}

function judge(turn, kind, words) {
  turn.classList.add(kind);
  part(turn, "verdict").textContent = words;
  part(turn, "verdict").hidden = false;
}

/** An assistant goes on from what the reader has seen. */
function stopped(turn, text, asked) {
  if (talks && text) remember(asked, text);
  draw(turn, text || "Nothing was written yet.");
  judge(turn, "stopped", "Stopped");
  page.spoken.textContent = "Stopped";
}

function failed(turn, error, question, text) {
  const again = make("button", { type: "button", className: "again" }, "Try again");
  again.addEventListener("click", () => {
    if (running) return;
    turn.remove();
    ask(question);
  });
  if (talks && text) {
    draw(turn, text);
    judge(turn, "stopped", "Cut off");
  } else {
    turn.classList.add("failed");
    part(turn, "prose").replaceChildren();
  }
  part(turn, "prose").append(make("p", { className: "problem" }, error.message));
  if (error.request) part(turn, "prose").append(make("p", { className: "quiet" }, `Request ${error.request}`));
  part(turn, "reply").append(again);
  page.spoken.textContent = error.message;
}

function rateable(turn, request) {
  const buttons = [...turn.querySelectorAll("[data-rating]")];
  const press = (chosen) => buttons.forEach((one) => one.setAttribute("aria-pressed", one === chosen));
  for (const button of buttons) {
    button.addEventListener("click", async () => {
      const thanks = part(turn, "thanks");
      const before = buttons.find((one) => one.ariaPressed === "true");
      press(button);
      try {
        await send("feedback", { request_id: request, rating: Number(button.dataset.rating) });
        thanks.textContent = "Thank you.";
      } catch (error) {
        press(before);
        thanks.textContent = error.message;
      }
    });
  }
}

// the key

/** What the last key was answered is not for the next one. */
function lock() {
  renew();
  page.examples.replaceChildren();
  page.question.value = "";
  gate(true);
  page.key.focus();
}

function gate(closed) {
  page.locked.hidden = !closed;
  page.talk.hidden = page.composer.hidden = closed;
  page.documents.hidden = closed || talks;
  page.choice.hidden = closed || !talks || page.model.length < 2;
  page.fresh.hidden = closed || !page.turns.childElementCount;
  if (closed) page.leave.hidden = true;
}

async function unlock(event) {
  event.preventDefault();
  page["unlock-problem"].textContent = "";
  try {
    await send("session", { key: page.key.value.trim() });
    page.key.value = "";
    page.locked.hidden = true;
    await start();
  } catch (error) {
    page["unlock-problem"].textContent = error.message;
    page.key.select();
  }
}

async function leave() {
  await call("session", { method: "DELETE" }).catch(() => {});
  document.dispatchEvent(new Event("locked"));
}

// the page

function renew() {
  running?.abort();
  running = null;
  messages = [];
  page.turns.replaceChildren();
  page.spoken.textContent = "";
  page.welcome.hidden = false;
  page.fresh.hidden = page.stop.hidden = true;
  page.send.hidden = false;
  closePanel();
  page.question.focus();
}

function grow() {
  page.question.style.height = "auto";
  page.question.style.height = `${page.question.scrollHeight}px`;
  page.send.disabled = !page.question.value.trim();
}

function submit(event) {
  event?.preventDefault();
  const question = page.question.value.trim();
  if (!question || running) return;
  page.question.value = "";
  grow();
  page.question.focus();
  ask(question);
}

/** Examples come from what stands on the shelf; an empty one is to be filled. */
async function suggest() {
  const { documents } = await (await call("v1/documents")).json();
  const known = documents.filter((one) => one.status === "indexed").slice(0, 3);
  const buttons = known.map((one) => {
    const text = `What does “${one.title || one.name.replace(/\.\w+$/, "")}” say?`;
    const button = make("button", { type: "button" }, text);
    button.addEventListener("click", () => {
      page.question.value = text;
      submit();
    });
    return button;
  });
  const add = make("button", { type: "button" }, "Add documents to ask about");
  add.addEventListener("click", showLibrary);
  page.examples.replaceChildren(...(buttons.length ? buttons : [add]).map((one) => make("li", {}, one)));
}

async function start() {
  const told = await meet(await call("info").then((one) => one.json()).catch((error) => error));
  if (told instanceof Error && !page.locked.hidden) return;
  gate(false);
  page.notice.textContent = told instanceof Error ? told.message : "";
  if (told.release) {
    page.release.textContent = document.title = told.release;
    page.version.textContent = `version ${told.version}`;
  }
  page.question.focus();
  const visitor = await call("session").then((one) => one.json()).catch(() => ({}));
  page.leave.hidden = !visitor.name;
  page.leave.title = visitor.name ? `Signed in as ${visitor.name}` : "";
  if (!talks) await suggest().catch(() => {}); // whoever may not list documents gets no examples
}

page.composer.addEventListener("submit", submit);
page.question.addEventListener("input", grow);
page.question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
});
page.stop.addEventListener("click", () => {
  running?.abort();
  page.question.focus();
});
page.fresh.addEventListener("click", renew);
page.leave.addEventListener("click", leave);
page.unlock.addEventListener("submit", unlock);
document.addEventListener("keydown", (event) => event.key === "Escape" && closePanel());
document.addEventListener("locked", lock);
start();
