"""The tour: tables, documents, an assistant, texts. Each kind trains, serves, answers; one is watched."""

import json
import shutil
import time

import httpx

from flows import console, demo_watch, running
from flows.chatting import connected
from flows.orders import Order
from flows.talking import Talk
from flows.touring import part, service, train
from tasks.artifacts import opened, store_at
from tasks.language.measuring import PATIENCE
from tasks.registry import ledger, records
from tasks.registry.history import champion
from tasks.settings import ROOT, Settings
from tasks.sources.snapshots import latest

TABLE, ROWS = "credit-risk", "credit-applications"
PAPERS = "course-search"
TALK = "course-chat"
TEXTS = "product-quality"
CHEAP = "candidates=[tfidf, embedding]"  # the encoder takes minutes
PRODUCT = {"title": "Folding tent", "category": "outdoor", "price": 160.0}
STATEMENTS = (
    "Our testers agree that it will stand up to heavy rain. It comes in three colours.",
    "Our testers agree that it will leak when it is tilted. A true must-have!",
)
GUIDES = ROOT / "data" / "samples" / "course-guides"
QUESTIONS = (
    "When is homework 1 due?",
    "What does an entry without a prediction get?",
    "What is the boiling point of tungsten?",
)
EDIT = ("exam.md", "Tuesday, 21 April 2026, from 9:00 to 11:00", "Thursday, 23 April 2026, from 14:00 to 16:00")


def run(settings: Settings) -> None:
    """About four and a half minutes where everything is installed; each part says what it shows."""
    console.listen()
    tables(settings)
    documents(settings)
    assistant(settings)
    texts(settings)
    demo_watch.run(settings, 12)
    part("Where to look")
    web = settings.prefect_url.removesuffix("/api")
    console.show("pages", ("what", "where"), [("runs and decisions", web), ("models and metrics", settings.mlflow_url)])
    console.out.print(f"Next: penstock report {TALK}, penstock chat {TALK}, penstock serve {PAPERS} (a chat page).")
    console.out.print("The two servers stay for the next command; `./justw down` ends them.")


def tables(settings: Settings) -> None:
    part(f"1. Train {TABLE}: rows, contract, models, gate (about half a minute; nothing where it was done before)")
    train(Order(release=TABLE), settings)
    show_data(settings)
    part("2. Train again: nothing changed, so nothing runs")
    started = time.monotonic()
    train(Order(release=TABLE), settings)
    console.out.print(f"({time.monotonic() - started:.2f} s)")
    part("3. Serve the champion and ask it")
    with service(TABLE, settings) as url:
        predict(url)


def show_data(settings: Settings) -> None:
    with opened(settings.store):
        snapshot = latest(ROWS)
    if snapshot is not None:
        facts = (snapshot.version, snapshot.rows, len(snapshot.columns), snapshot.digest[:12])
        console.show(f"snapshot of {ROWS}", ("version", "rows", "columns", "digest"), [facts])


def predict(url: str) -> None:
    """The example of the service's own OpenAPI document."""
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]
    console.out.print(f"POST {url}/predict {json.dumps(body)}")
    console.out.print(httpx.post(f"{url}/predict", json=body, trust_env=False).text)


def documents(settings: Settings) -> None:
    part(
        f"4. Train {PAPERS}: {len(list(GUIDES.glob('*.md')))} guides as PDF, pages, chunks, index, gate (half a minute)"
    )
    train(Order(release=PAPERS), settings)
    part("5. Serve the index and ask three questions")
    with service(PAPERS, settings) as url:
        for question in QUESTIONS:
            ask(url, question)
        part("6. Move the exam to another day: only the chunks of that guide are embedded, and the service follows")
        before = champion(ledger.entries(store_at(settings.store), PAPERS))
        train(Order(release=PAPERS, files=[edited(settings)]), settings)
        now = champion(ledger.entries(store_at(settings.store), PAPERS))
        if now == before:
            console.out.print(
                "It is not the champion: refused, or rolled back by an earlier tour and not promoted again by itself."
            )
            return
        running.settled_version(url, now, PATIENCE)
        ask(url, "When does the exam take place?")
        part("7. Roll back: one command, and the old date is back")
        running.roll_back(settings, PAPERS, "the exam was not moved", PATIENCE)
        ask(url, "When does the exam take place?")


def assistant(settings: Settings) -> None:
    part(f"8. Tune {TALK}: examples from a course catalogue, a tiny base, an adapter, the gate (two minutes)")
    train(Order(release=TALK), settings)
    part("9. Serve the adapter and ask it, by OpenAI's API, what it answered when it was made")
    with service(TALK, settings) as url:
        chat(url, learned_question(settings))


def texts(settings: Settings) -> None:
    part(f"10. Train {TEXTS}: texts of a table, counted words against sentence embeddings (a minute)")
    console.out.print(
        f"`penstock train {TEXTS}` adds a fine-tuned encoder, which takes minutes and knows what a `not` turns round."
    )
    train(Order(release=TEXTS, set=[CHEAP]), settings)
    part("11. Serve it: what is a text worth, which words say so, and what can be drafted from it?")
    with service(TEXTS, settings) as url:
        for said in STATEMENTS:
            judge(url, PRODUCT | {"description": said})


def judge(url: str, record: dict[str, object]) -> None:
    told = httpx.post(f"{url}/predict", json=record, trust_env=False, timeout=30).json()
    console.out.print(f"> {record['title']}: {record['description']}")
    verdict = "good" if told["prediction"] else "not good"
    console.out.print(f"{verdict}: the probability of good is {told['probability']:.2f}  (version {told['version']})")
    for one in told["words"][:3]:
        console.out.print(f"   {one['effect']:+.2f} {one['words']}", style="dim")
    console.out.print(f"   {told['caption']} {' '.join(told['hashtags'])}", style="dim")


def learned_question(settings: Settings) -> str:
    """The first golden request of the champion: its wording was not trained."""
    store = store_at(settings.store)
    number = champion(ledger.entries(store, TALK))
    assert number is not None, f"{TALK} has a champion once it was trained"
    record = json.loads((store.path(records.version(store, TALK, number).folder) / "release.json").read_bytes())
    return str(record["golden"][0]["request"]["messages"][-1]["content"])


def chat(url: str, question: str) -> None:
    """One answer as it is written."""
    console.out.print(f"> {question}")
    with connected(url) as client:
        note = Talk(client, url, TALK).say(question)
    console.out.print(f"\n({note})", style="dim")


def ask(url: str, question: str) -> None:
    told = httpx.post(f"{url}/v1/ask", json={"question": question}, trust_env=False, timeout=30).json()
    console.out.print(f"> {question}\n{told['answer']}  (version {told['version']})")
    for citation in told["citations"]:
        place = f"{citation['document']}, page {citation['page']}"
        console.out.print(f"   [{citation['number']}] {place}: {citation['heading']}", style="dim")


def edited(settings: Settings) -> str:
    """A copy of the guides in which the exam takes place on another day."""
    folder = settings.root / "demo" / GUIDES.name
    shutil.copytree(GUIDES, folder, dirs_exist_ok=True)
    name, old, new = EDIT
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text, f"{name} says no more what the tour changes"
    (folder / name).write_text(text.replace(old, new), encoding="utf-8")
    return str(folder)
