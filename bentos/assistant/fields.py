"""Field types of the OpenAI API: what is bounded, what is accepted and ignored, what is refused by name."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from pydantic_core import CoreSchema, core_schema

from bentos.kit.types import Whole

INT64 = 2**63
CLEAN = r"^[^\x00]*$"
IGNORED = "Accepted, and changes nothing"
ABSENT = "Not supported: anything that would change the answer is refused"


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)


class Only:
    """Marks a field that is taken only where it asks for nothing: clients send such values by default."""

    def __init__(self, *harmless: Any) -> None:
        self.harmless = harmless
        self._known = [(type(one), one) for one in harmless]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._checked)

    def __get_pydantic_json_schema__(self, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"enum": list(self.harmless), "description": ABSENT}

    def _checked(self, value: Any) -> Any:
        if (type(value), value) not in self._known:
            raise ValueError("this is not supported here; leave it out")
        return value


# a text or a list: what is wrong is told of the one that was sent
ONE, MANY = Tag("text"), Tag("list")
Either = Discriminator(lambda value: "list" if isinstance(value, list) else "text")
Text = Annotated[str, Field(pattern=CLEAN)]
Said = Annotated[str, Field(pattern=CLEAN, min_length=1)]
ModelId = Annotated[str, Field(min_length=1, max_length=200, examples=["course-chat"])]
Tokens = Annotated[int, Field(ge=1, le=10_000_000), Whole]
Seed = Annotated[int, Field(ge=-INT64, lt=INT64), Whole]
Choices = Annotated[int, Field(ge=1, le=8), Whole]
NGram = Annotated[int, Field(ge=0, le=100), Whole]
Temperature = Annotated[float, Field(ge=0, le=2)]
TopP = Annotated[float, Field(gt=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Repetition = Annotated[float, Field(gt=0, le=10)]
StopText = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Annotated[Annotated[StopText, ONE] | Annotated[list[StopText], Field(max_length=4), MANY], Either]
Ignored = Annotated[str | None, Field(max_length=1000, description=IGNORED)]
IgnoredFlag = Annotated[bool | None, Field(description=IGNORED)]
Metadata = Annotated[dict[str, str] | None, Field(max_length=16, description=IGNORED)]
Nothing = Annotated[Any, Only(None)]
NoList = Annotated[Any, Only(None, [])]
NoChoice = Annotated[Any, Only(None, "none", "auto")]
NoFlag = Annotated[Any, Only(None, False)]
