"""A small real corpus: the papers of a town library, questions about them, and an index with real vectors."""

from dataclasses import dataclass

from tasks.artifacts import Artifact
from tasks.documents.chunk_file import Chunk
from tasks.retrieval.building import build
from tasks.retrieval.golden import Question, settle
from tasks.retrieval.vectors import Vectors, embed_chunks
from tests.retrieval.pieces import chunk, put_chunks

PAPERS = {
    "opening.md": (
        "Opening hours",
        {
            "Weekdays": "The main hall opens at nine in the morning from Monday to Friday and closes at seven in the "
            "evening. On Thursdays the hall stays open until nine for those who work late.",
            "Weekend": "On Saturdays readers are welcome from ten until four. The building is closed on Sundays, "
            "except on the first Sunday of December, when the winter fair takes place in the courtyard.",
            "Holidays": "On public holidays all desks are closed. The return box beside the north gate is emptied "
            "every day, holidays included, so books can be brought back at any hour.",
        },
    ),
    "lending.md": (
        "Lending rules",
        {
            "Loan period": "Books are lent for twenty-eight days. A loan can be renewed twice, unless another reader "
            "has reserved the copy. Films and games are lent for seven days and cannot be renewed.",
            "Fines": "A late return costs thirty cents for each working day, up to six euros per item. Children "
            "under twelve pay no fines. Unpaid fines of more than ten euros block the card.",
            "Lost items": "Whoever loses a book replaces it with a copy of the same edition, or pays its price and "
            "four euros for the new label and cover.",
        },
    ),
    "membership.md": (
        "Membership",
        {
            "Joining": "Anyone who lives in the district can join with an identity card and a recent letter that "
            "shows the address. Guests from other towns need a deposit of twenty euros.",
            "Fees": "Membership is free until the age of eighteen. Adults pay fifteen euros a year; students, "
            "trainees and pensioners pay eight. The fee is due in the month of joining.",
            "Card": "The plastic card carries a number and a photograph. A lost card is replaced for three euros at "
            "the information desk after its number has been blocked.",
        },
    ),
    "rooms.md": (
        "Study rooms",
        {
            "Booking": "The six study rooms on the second floor can be booked online up to two weeks ahead, for at "
            "most three hours a day. A room that is empty fifteen minutes after the start is given away.",
            "Equipment": "Every study room has a screen, a whiteboard and sockets for eight laptops. Markers and "
            "adapters are handed out at the technology counter.",
            "Quiet": "Telephone calls are made in the glass booths by the stairs. Food is not allowed in the rooms; "
            "water in closed bottles is.",
        },
    ),
    "archive.md": (
        "Town archive",
        {
            "Holdings": "The archive keeps parish registers from 1584, maps of the old harbour, and the complete "
            "print of the Evening Courier from 1871 to its last issue in 1964.",
            "Visits": "Originals are read in the vault under supervision, by appointment made a week before. "
            "Pencils are allowed, pens are not, and hands must be clean and dry.",
            "Copies": "Scans of registers cost fifty cents a page. Photographs without flash are free once the "
            "reader has signed the declaration of use.",
        },
    ),
    "events.md": (
        "Events",
        {
            "Reading circle": "The reading circle meets on the last Tuesday of the month in the fireside room. The "
            "novel for the next evening is announced on the board a month before.",
            "Children": "Picture book hour for children from four to seven takes place every Wednesday at half past "
            "three. Parents may stay, brothers and sisters may come along.",
            "Workshops": "The repair workshop helps with bicycles, lamps and toasters. Bring the broken thing and "
            "its cable; spare parts are paid for at cost.",
        },
    ),
}
ASKED = (
    ("How late is the hall open on Thursdays?", "opening.md", "stays open until nine for those who work late", "nine"),
    ("When can I visit on a Saturday?", "opening.md", "On Saturdays readers are welcome from ten until four", "four"),
    ("Where do I give books back on a holiday?", "opening.md", "The return box beside the north gate", "north gate"),
    ("When is the winter fair?", "opening.md", "the first Sunday of December, when the winter fair", "December"),
    ("How long may I keep a book?", "lending.md", "Books are lent for twenty-eight days", "twenty-eight days"),
    ("How often can a loan be renewed?", "lending.md", "A loan can be renewed twice", "twice"),
    ("What does a late return cost?", "lending.md", "A late return costs thirty cents", "thirty cents"),
    ("What happens if I lose a book?", "lending.md", "Whoever loses a book replaces it with a copy", "same edition"),
    ("What do I need to join?", "membership.md", "with an identity card and a recent letter", "identity card"),
    ("How much do students pay a year?", "membership.md", "trainees and pensioners pay eight", "eight"),
    ("I lost my library card, what now?", "membership.md", "A lost card is replaced for three euros", "three euros"),
    ("How far ahead can study rooms be booked?", "rooms.md", "booked online up to two weeks ahead", "two weeks"),
    ("Is there a whiteboard in the study rooms?", "rooms.md", "has a screen, a whiteboard and sockets", "whiteboard"),
    ("Where can I make a phone call?", "rooms.md", "Telephone calls are made in the glass booths", "glass booths"),
    ("Which newspaper does the archive keep?", "archive.md", "print of the Evening Courier", "Evening Courier"),
    ("May I write with a pen in the vault?", "archive.md", "Pencils are allowed, pens are not", "pens are not"),
    ("What does a scan of a register cost?", "archive.md", "Scans of registers cost fifty cents", "fifty cents"),
    ("When does the reading circle meet?", "events.md", "meets on the last Tuesday of the month", "last Tuesday"),
    ("When is picture book hour?", "events.md", "takes place every Wednesday at half past three", "Wednesday"),
    ("Can somebody help me repair my bicycle?", "events.md", "The repair workshop helps with bicycles", "workshop"),
)
FOREIGN = (
    "Who composed the Brandenburg Concertos?",
    "How many moons has Neptune?",
    "What is the capital of Mongolia?",
    "How do I prune an apple tree in winter?",
    "Which enzyme copies DNA in bacteria?",
    "What is the boiling point of ethanol?",
)
QUESTIONS = (
    *(Question(id=f"q{n:02}", question=q, document=d, quote=s, answer=a) for n, (q, d, s, a) in enumerate(ASKED)),
    *(Question(id=f"u{n:02}", question=text, answerable=False) for n, text in enumerate(FOREIGN)),
)


@dataclass(frozen=True)
class Library:
    """All that a flow has before it evaluates."""

    weights: Artifact
    chunks: Artifact
    vectors: Vectors
    index: Artifact
    questions: Artifact


def chunks_of_sections() -> list[Chunk]:
    """One chunk per section, as the chunker cuts short sections."""
    return [
        chunk(document, number, text, heading, title)
        for document, (title, sections) in PAPERS.items()
        for number, (heading, text) in enumerate(sections.items())
    ]


def chunks_of_words(size: int) -> list[Chunk]:
    """The same texts cut after every few words, wherever that is."""
    pieces = []
    for document, (title, sections) in PAPERS.items():
        running = " ".join(sections.values()).split()
        parts = [" ".join(running[start : start + size]) for start in range(0, len(running), size)]
        pieces += [chunk(document, number, text, title=title) for number, text in enumerate(parts)]
    return pieces


def indexed(weights: Artifact, pieces: list[Chunk]) -> Library:
    chunks = put_chunks(pieces)
    vectors = embed_chunks(chunks, weights)
    return Library(weights, chunks, vectors, build(chunks, vectors), settle(QUESTIONS, chunks).artifact)
