"""The room's cached steps: a champion's reference is computed once."""

from tasks.caching import cached
from tasks.watching import references

reference_of_table = cached(references.of_table).with_options(name="reference_of_table")
reference_of_texts = cached(references.of_texts).with_options(name="reference_of_texts")
