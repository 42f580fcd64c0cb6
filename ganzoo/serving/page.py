"""The landing page: what each generator makes, and where to get it."""

from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from string import Template
from urllib.parse import quote

from ganzoo.controls import Control
from ganzoo.runtime.generator import ImageGenerator

_CLASSES_SHOWN = 50

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ganzoo</title>
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --dim: #666; --page: #fff; --text: #1b1b1b; }
@media (prefers-color-scheme: dark) { :root { --dim: #a3a3a3; --page: #131416; --text: #ececec; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
  max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem; }
header { display: flex; align-items: baseline; gap: 1rem; margin-bottom: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.15rem; margin: 0; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1.25rem; }
article { border: 1px solid var(--line); border-radius: .75rem; overflow: hidden; }
article img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated;
  background: var(--soft); }
article div { padding: .9rem 1.1rem 1.1rem; }
p { margin: .3rem 0; color: var(--dim); font-size: .9rem; }
a { color: inherit; }
:focus-visible { outline: 3px solid; outline-offset: 2px; }
article a:focus-visible { outline-offset: -3px; }
nav { display: flex; flex-wrap: wrap; gap: .35rem; margin-top: .6rem; font-size: .85rem; }
nav a { border: 1px solid var(--line); border-radius: 1rem; padding: .05rem .65rem; text-decoration: none; }
nav a:hover { background: var(--line); }
form { display: grid; gap: .35rem; margin-top: .6rem; font-size: .85rem; }
label { display: grid; grid-template-columns: 7rem 1fr 4rem; gap: .6rem; align-items: center; }
</style>
</head>
<body>
<header><h1>ganzoo</h1><p><a href="v1/models">/v1/models</a> · <a href="healthz">/healthz</a></p></header>
<main>
$articles
</main>
$script</body>
</html>
""")

_SCRIPT = """<script>
for (const form of document.forms) form.oninput = () => {
  for (const input of form.querySelectorAll("input[type=range]")) input.nextElementSibling.value = +input.value;
  const url = form.getAttribute("action") + "?" + new URLSearchParams(new FormData(form));
  const link = form.closest("article").querySelector("a");
  link.href = link.firstElementChild.src = url;
};
</script>
"""
"""Has the samples follow the sliders."""

_ARTICLE = """<article>
<a href="{url}?n=16&amp;seed=7"><img src="{url}?n=16&amp;seed=7" alt="16 samples of {name}"></a>
<div>
<h2>{title}</h2>
<p>{facts}</p>
<nav>{links}</nav>
{sliders}</div>
</article>"""

_FORM = """<form action="{url}">
<input type="hidden" name="n" value="16"><input type="hidden" name="seed" value="7">
{sliders}
<noscript><button>show</button></noscript>
</form>
"""

_SLIDER = (
    '<label>{name} <input type="range" name="{name}" min="{low:g}" max="{high:g}" step="any" value="{default:g}">'
    "<output>{default:g}</output></label>"
)


def landing_page(generators: Mapping[str, ImageGenerator]) -> str:
    """Self-contained HTML with a grid of samples, the links and the controls of each generator."""
    controlled = any(generator.card.controls for generator in generators.values())
    articles = "\n".join(_article(name, generators[name]) for name in generators)
    return _PAGE.substitute(articles=articles, script=_SCRIPT if controlled else "")


def _article(name: str, generator: ImageGenerator) -> str:
    card = generator.card
    url = f"v1/models/{quote(name, safe='')}/sample"  # relative: a proxy may have put the page below a path
    facts = [f"{card.width} × {card.height} × {card.channels}", f"latent {card.latent_dim}", generator.device]
    if card.class_names:
        facts.insert(1, f"{len(card.class_names)} classes")
    targets = [("random", "?n=16"), ("64", "?n=64&seed=7"), ("npy", "?n=16&seed=7&format=npy")]
    for class_name in card.class_names[:_CLASSES_SHOWN]:  # by name, because an index may be another class's name
        targets.append((class_name, f"?n=16&seed=7&label={quote(class_name, safe='')}"))
    return _ARTICLE.format(
        url=escape(url),
        name=escape(name),
        title=escape(name if card.version is None else f"{name}:{card.version}"),
        facts=escape(" · ".join(facts)),
        links="".join(f'<a href="{escape(url + query)}">{escape(text)}</a>' for text, query in targets),
        sliders=_sliders(url, card.controls),
    )


def _sliders(url: str, controls: Mapping[str, Control]) -> str:
    """A form with a slider for each control, which a person may also send without scripts; nothing without controls."""
    sliders = [_SLIDER.format(name=name, **asdict(control)) for name, control in controls.items()]
    return _FORM.format(url=escape(url), sliders="\n".join(sliders)) if sliders else ""
