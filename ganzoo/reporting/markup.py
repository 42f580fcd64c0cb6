"""The parts of a page; they escape every text that they are given."""

import json
import os
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

LONGEST = 400
"""Most characters of a value in a table; a longer one is cut."""


SCRIPT = """
for (const figure of document.querySelectorAll(".steps")) {
  const [slider, images] = [figure.querySelector("input"), figure.querySelectorAll("img")];
  slider.hidden = false;
  slider.oninput = () => {
    images.forEach((image, at) => { image.hidden = at !== +slider.value; });
    figure.querySelector("output").value = images[slider.value].alt.split(" step ").pop();
  };
}
"""
"""Has a slider choose the picture that is shown."""


def section(title: str, *parts: str) -> str:
    """A section of parts that are HTML already; empty if all of them are."""
    content = "\n".join(filter(None, parts))
    return f"<section>\n<h2>{escape(title)}</h2>\n{content}\n</section>" if content else ""


def paragraph(text: str) -> str:
    """A remark, in small print."""
    return f'<p class="dim">{escape(text)}</p>'


def listing(lines: Sequence[str]) -> str:
    """Commands to copy, a line each; empty if there are none."""
    return f"<pre><code>{escape(chr(10).join(lines))}</code></pre>" if lines else ""


def links(files: Sequence[str]) -> str:
    """Links to files beside the page; empty if there are none."""
    shown = " ".join(f'<a href="{quote(os.fsencode(name))}">{escape(name)}</a>' for name in files)
    return f'<p class="files">{shown}</p>' if files else ""


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A table whose first column names its rows; if it is wider than the page, it scrolls by itself."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{escape(shown(name))}</th>'
        + "".join(f"<td>{escape(shown(cell))}</td>" for cell in cells)
        + "</tr>"
        for name, *cells in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def picture(caption: str, image: bytes, form: str, alt: str) -> str:
    """A figure with the image itself in it.

    Args:
        form: ``png`` or ``webp``.
    """
    return f"<figure><figcaption>{escape(caption)}</figcaption>{_image(image, form, alt)}</figure>"


def slider(stills: Mapping[int, bytes], alt: str) -> str:
    """A figure of one picture at a time, the last at first, and a slider over the steps where ``SCRIPT`` runs.

    Args:
        stills: step -> WebP, at least one.
    """
    *others, last = stills
    images = [_image(stills[step], "webp", f"{alt}, step {step:,}", hidden=step != last) for step in stills]
    end = len(others)
    return (
        f'<figure class="steps"><figcaption>Step <output>{last:,}</output></figcaption>\n' + "\n".join(images) + "\n"
        f'<input type="range" max="{end}" value="{end}" autocomplete="off" aria-label="step" hidden></figure>'
    )


def _image(image: bytes, form: str, alt: str, *, hidden: bool = False) -> str:
    source = f"data:image/{form};base64,{b64encode(image).decode()}"
    return f'<img src="{source}" alt="{escape(alt)}"{" hidden" * hidden}>'


def side_by_side(kind: str, figures: Iterable[str]) -> str:
    """Figures in as many columns as there is room for; empty if there are none."""
    content = "\n".join(filter(None, figures))
    return f'<div class="{kind}">\n{content}\n</div>' if content else ""


def shown(value: Any) -> str:
    """A value of a record, as a person reads it."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
