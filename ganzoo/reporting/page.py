"""A report: one HTML file that loads nothing else, and is read on a phone as on paper, also without scripts."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape
from types import MappingProxyType

from ganzoo.reporting import findings
from ganzoo.reporting.markup import SCRIPT, links, listing, paragraph, picture, section, side_by_side, slider, table
from ganzoo.reporting.style import STYLE
from ganzoo.reporting.subject import Subject
from ganzoo.version import __version__

# Nothing but the file itself may be loaded, and only the slider's script may run, which is told by its digest: a name
# that slipped through the escaping could run nothing.
_DIGEST = b64encode(sha256(SCRIPT.encode()).digest()).decode()
_POLICY = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{_DIGEST}'"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{content}
</main>
<footer>ganzoo {version}</footer>
{script}</body>
</html>
"""


def page(
    subjects: Sequence[Subject],
    *,
    better: Mapping[str, str],
    stills: Mapping[int, bytes] = MappingProxyType({}),
    files: Sequence[str] = (),
) -> str:
    """A report of one run or version, or of several side by side.

    Args:
        subjects: at least one, each of another name.
        better: figure -> ``lower``, ``higher`` or nothing.
        files: what lies beside the page and belongs to the only subject.
        stills: step -> WebP of the samples of the only subject, for its slider; empty: its newest grid alone is shown.
    """
    parts = [
        _heading(subjects),
        *([section("What differs", *_differences(subjects))] if len(subjects) > 1 else []),
        *([section("Settings that are not the model's own", _departures(subjects[0]))] if len(subjects) == 1 else []),
        section("Next", *(listing(each.commands) for each in subjects if len(subjects) == 1)),
        section("Files", links(files)),
        section("Samples", _samples(subjects, stills)),
        *([section("Samples nearest to training images", _copies(subjects[0]))] if len(subjects) == 1 else []),
        section("What went wrong", *_events(subjects)),
        section("Curves", *findings.curves(subjects)),
        section("Evaluations during training", *findings.history(subjects, better)),
        section("Evaluations", *findings.evaluations(subjects, better)),
        *([section("Records", _records(subjects[0]))] if len(subjects) == 1 else []),
    ]
    return _PAGE.format(
        policy=_POLICY,
        title=escape(f"{', '.join(each.name for each in subjects)} - ganzoo"),
        style=STYLE,
        content="\n".join(filter(None, parts)),
        version=escape(__version__),
        script=f"<script>{SCRIPT}</script>\n" if stills else "",
    )


def _heading(subjects: Sequence[Subject]) -> str:
    if len(subjects) == 1:
        (only,) = subjects
        facts = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in only.facts.items())
        return f"<h1>{escape(only.name)}</h1>\n<p>{escape(only.state)}</p>\n<dl>{facts}</dl>"
    names = dict.fromkeys(name for each in subjects for name in each.facts)
    rows = [["state", *(each.state for each in subjects)]]
    rows += [[name, *(each.facts.get(name, "") for each in subjects)] for name in names]
    header = ["", *(each.name for each in subjects)]
    return f"<h1>Side by side</h1>\n<section>{table(f'{len(subjects)} runs and versions', header, rows)}</section>"


def _samples(subjects: Sequence[Subject], stills: Mapping[int, bytes]) -> str:
    figures = [slider(stills, f"Grid of samples of {subjects[0].name}")] if stills else []
    for each in filter(lambda each: each.picture and not stills, subjects):
        caption = ", ".join([each.name, *(f"step {step:,}" for step in list(each.frames)[-1:])])
        figures.append(picture(caption, each.picture or b"", "png", f"Grid of samples of {each.name}"))
    seen: dict[bytes, list[str]] = {}  # what several were trained on is shown once
    for each in subjects:
        if each.real:
            seen.setdefault(each.real, []).append(each.name)
    for real, names in seen.items():
        caption = "Real images" if len(seen) == 1 else f"Real images of {', '.join(names)}"
        figures.append(picture(caption, real, "png", "Training images in the same form"))
    return side_by_side("grids", figures)


def _copies(subject: Subject) -> str:
    """The nearest pairs, by which a person sees whether the generator copies."""
    if subject.nearest is None:
        return paragraph("Not here: training images stay with the run that saw them, and are compared when it ends.")
    caption = "Each above its nearest training image"
    return side_by_side("grids", [picture(caption, subject.nearest, "png", "Pairs of a sample and a training image")])


def _events(subjects: Sequence[Subject]) -> list[str]:
    many = len(subjects) > 1
    return [paragraph(f"{each.name}: {line}" if many else line) for each in subjects for line in each.events]


def _records(subject: Subject) -> str:
    """The subject's tables, in full."""
    tables = (table(name, ["entry", "value"], rows.items()) for name, rows in subject.tables.items() if rows)
    return side_by_side("records", tables)


def _departures(subject: Subject) -> str:
    """What the training was told beyond the model's name; the whole configuration stands in the records."""
    if subject.departures is None:
        return paragraph("They are unknown: no plugin here has the model.")
    if not subject.departures:
        return paragraph("None: everything is as the model trains by default.")
    rows = [[key, *pair] for key, pair in subject.departures.items()]
    return table("Set otherwise than by default", ["setting", "default", "here"], rows)


def _differences(subjects: Sequence[Subject]) -> list[str]:
    """The rows of the subjects' tables that differ, settings first, and how many are alike."""
    parts = []
    for name in sorted(subjects[0].tables, key=lambda name: name != "Configuration"):
        keys = dict.fromkeys(key for each in subjects for key in each.tables[name])
        rows = [[key, *(each.tables[name].get(key, "") for each in subjects)] for key in keys]
        differing = [row for row in rows if any(cell != row[1] for cell in row[2:])]
        if differing:
            parts.append(table(name, ["entry", *(each.name for each in subjects)], differing))
        if alike := len(rows) - len(differing):
            parts.append(paragraph(f"{name}: {alike} of {len(rows)} entries are alike and left out."))
    return parts
