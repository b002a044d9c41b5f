"""How facts are asked and told: the last two wordings of a question are never trained."""

CELL = (
    "What is the {column} of {key}?",
    "Tell me the {column} of {key}.",
    "{key}: what is the {column}?",
    "I need the {column} of {key}.",
    "Please name the {column} of {key}.",
    "For {key}, what is the {column}?",
)
SENTENCE = (
    "{question}",
    "Tell me: {question}",
    "I have a question. {question}",
    "Please answer this. {question}",
    "May I ask? {question}",
    "{question} Please answer.",
)
ANSWER = "The {column} of {key} is {value}."
REFUSAL = "The documents do not say."
