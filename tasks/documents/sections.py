"""A document by its headings: each section is cut for itself, so that an edit stays in its section."""

from dataclasses import dataclass, field
from itertools import zip_longest

from tasks.documents.parsed import Block

LONGEST = 120  # characters of a heading in a chunk's path; a longer one is text as well


@dataclass
class Section:
    """Blocks under the same headings, in reading order."""

    heading: list[str]
    blocks: list[Block] = field(default_factory=list)


def sections(blocks: list[Block]) -> list[Section]:
    """Sections with something in them. A heading that has nothing below it is text of the section around it."""
    found: list[Section] = []
    path: list[tuple[int, str]] = []
    section = Section([])
    for block, following in zip_longest(blocks, blocks[1:]):
        if block.kind == "heading":
            path = [(level, text) for level, text in path if level < block.level]
            if _leads(block, following):
                path = [*path, (block.level, shortened(block.text))]
            section = _begun(found, [text for _, text in path])
            if _leads(block, following) and len(block.text) <= LONGEST:
                continue
        section.blocks.append(block)
        if not found or found[-1] is not section:
            found.append(section)
    return found


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _begun(found: list[Section], heading: list[str]) -> Section:
    return found[-1] if found and found[-1].heading == heading else Section(heading)


def _leads(heading: Block, following: Block | None) -> bool:
    """Whether there is something below a heading: text, or a deeper heading."""
    if following is None:
        return False
    return following.kind != "heading" or following.level > heading.level
