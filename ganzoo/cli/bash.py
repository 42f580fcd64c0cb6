"""Completion in bash, for which ``faces:1`` is three words: ``:``, ``@`` and ``=`` end one, unlike in other shells."""

import os

from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

_GIVEN = 'COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" '
"""The line up to the cursor, which bash counts in characters or in bytes, as the locale has it."""


class Bash(BashComplete):
    """click's, by the line as it is typed instead of bash's words."""

    source_template = BashComplete.source_template.replace("COMP_WORDS=", f"{_GIVEN}COMP_WORDS=", 1)

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the cursor, and the one that is begun there."""
        if "COMP_LINE" not in os.environ:
            return super().get_completion_args()
        # A letter more, so that the last word is always one that is begun, be it in quotes.
        *words, begun = split_arg_string(f"{os.environ['COMP_LINE']}x")
        return words[1:], begun[:-1]

    def format_completion(self, item: CompletionItem) -> str:
        """What bash puts in the place of its own word: what stands behind the last character that ends one."""
        _, begun = self.get_completion_args()
        breaks = os.environ.get("COMP_WORDBREAKS", "")
        kept = begun[: max(map(begun.rfind, breaks), default=-1) + 1]
        return super().format_completion(CompletionItem(item.value.removeprefix(kept), item.type))


def register() -> None:
    """Have click ask this class for bash."""
    add_completion_class(Bash)
