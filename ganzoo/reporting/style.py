"""The style sheet of a report. Colours: Okabe and Ito, 2008; no common colour blindness makes two of them alike."""

STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --dim: #666; --card: #fff; --page: #f6f6f4;
  --text: #1b1b1b; --c0: #0072b2; --c1: #d55e00; --c2: #00805c; --c3: #b0538c; --c4: #9a6b00; --c5: #2f8fc4; }
@media (prefers-color-scheme: dark) {
  :root { --dim: #a3a3a3; --card: #1d1e20; --page: #131416; --text: #ececec;
    --c0: #56b4e9; --c1: #ff8b3d; --c2: #2cc79b; --c3: #e59ac4; --c4: #f0c83c; --c5: #8f9dff; }
}
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); margin: 0 auto;
  max-width: 84rem; padding: 2rem 1.25rem 3rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0; overflow-wrap: anywhere; }
h1 + section { margin-top: 1.2rem; }
h2 { font-size: 1.15rem; margin: 2.4rem 0 0; }
p { margin: .4rem 0; }
a { color: inherit; }
:focus-visible { outline: 3px solid var(--c0); outline-offset: 2px; }
.files { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; }
pre { margin: .4rem 0; overflow-x: auto; }
.dim, small, footer { color: var(--dim); font-size: .875rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .9rem 1.5rem;
  margin: 1.4rem 0 0; }
dt { color: var(--dim); font-size: .875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; padding: .9rem 1rem 1rem; background: var(--card); border: 1px solid var(--line);
  border-radius: .6rem; min-width: 0; }
figcaption { margin-bottom: .5rem; font-weight: 600; overflow-wrap: anywhere; }
figcaption small { font-weight: 400; }
.grids, .charts { display: grid; gap: 1rem; }
.grids, .charts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); align-items: start; }
.grids img { display: block; width: 100%; height: auto; }
.steps [hidden] { display: none; }
.steps input { width: 100%; margin: .6rem 0 0; }
.chart svg { display: block; width: 100%; }
.chart text { font-size: 13px; fill: var(--dim); text-anchor: middle; }
.chart text.up { text-anchor: end; }
.grid { stroke: var(--soft); stroke-width: 1; }
.line { fill: none; stroke: var(--c); stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
circle { fill: var(--c); }
.c0 { --c: var(--c0); } .c1 { --c: var(--c1); } .c2 { --c: var(--c2); }
.c3 { --c: var(--c3); } .c4 { --c: var(--c4); } .c5 { --c: var(--c5); }
.d1 { stroke-dasharray: 7 4; } .d2 { stroke-dasharray: 2 3.2; } .d3 { stroke-dasharray: 9 4 1.5 4; }
.d4 { stroke-dasharray: 14 4; } .d5 { stroke-dasharray: 4 4 1.5 4 1.5 4; }
.legend { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; list-style: none; margin: .5rem 0 0; padding: 0;
  font-size: .875rem; }
.legend li { overflow-wrap: anywhere; }
.legend svg { display: inline-block; width: 2rem; height: .5rem; margin-right: .4rem; vertical-align: middle; }
.legend b { font-weight: 600; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .6rem .7rem; font-weight: 600; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem; border-top: 1px solid var(--line); }
th { color: var(--dim); font-weight: 400; }
thead th { border-top: 0; }
tbody th { width: 1%; white-space: nowrap; }
td { overflow-wrap: anywhere; min-width: 6.6rem; }
section > * + * { margin-top: 1rem; }
.records { columns: 26rem 2; column-gap: 1rem; }
.records > * { break-inside: avoid; margin-bottom: 1rem; }
footer { margin-top: 3rem; }
@media (max-width: 40rem) {
  table { font-size: .8rem; }
  caption { padding: .6rem .4rem; }
  th, td { padding: .3rem .4rem; }
  tbody th { width: auto; min-width: 8rem; white-space: normal; overflow-wrap: anywhere; }
  td { min-width: 4.9rem; }
}
@media print { body { background: none; } figure, .scroll { break-inside: avoid; } }
"""
