// The site's style sheet: a bar, a list beside the text, a reading column; light and dark by the reader's choice, down to a phone's
// width. Colours, prose and cells are those of `lensor run --html`.

import { CELLS, COLOURS } from "../run/style.ts";

const LAYOUT = `
:root { --side: 17rem; --mark: #f6c945; --deep: #14365c; --raise: #fff; --shade: 0 8px 30px rgb(20 40 70 / 14%); }
@media (prefers-color-scheme: dark) { :root { --raise: #1b2129; --shade: 0 8px 30px rgb(0 0 0 / 55%); } }
* { box-sizing: border-box; }
html { scroll-padding-top: 4.5rem; }
body { margin: 0; background: var(--paper); color: var(--ink); overflow-wrap: break-word;
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
a { color: var(--accent); text-underline-offset: 0.16em; text-decoration-thickness: 1px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
.skip { position: absolute; left: -99rem; } .skip:focus { left: 1rem; top: 0.5rem; z-index: 9; background: var(--raise); padding: 0.4rem 0.8rem; }
.bar { position: sticky; top: 0; z-index: 5; display: flex; align-items: center; gap: 0.4rem 1.4rem; padding: 0.55rem 1.5rem;
  background: color-mix(in srgb, var(--paper) 92%, transparent); backdrop-filter: blur(8px); border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: center; gap: 0.5rem; font-weight: 650; font-size: 1.1rem; letter-spacing: -0.01em; color: var(--ink); text-decoration: none; }
.bar nav { display: flex; gap: 0.2rem 1.2rem; flex-wrap: wrap; }
.bar nav a { color: var(--soft); text-decoration: none; padding: 0.2rem 0; border-bottom: 2px solid transparent; }
.bar nav a:hover, .bar nav a[aria-current] { color: var(--ink); }
.bar nav a[aria-current] { border-bottom-color: var(--mark); }
.search { position: relative; margin-left: auto; }
.search input { width: 15rem; font: inherit; font-size: 0.9rem; color: var(--ink); background: var(--code); border: 1px solid var(--line);
  border-radius: 7px; padding: 0.3rem 2rem 0.3rem 0.7rem; }
.search input::placeholder { color: var(--soft); opacity: 1; }
.search kbd { position: absolute; right: 0.6rem; top: 50%; translate: 0 -50%; color: var(--soft); font: 12px ui-monospace, monospace; pointer-events: none; }
.search input:focus + kbd { display: none; }
#found { position: absolute; right: 0; top: calc(100% + 0.4rem); width: min(34rem, 92vw); max-height: 70vh; overflow-y: auto; padding: 0.3rem;
  background: var(--raise); border: 1px solid var(--line); border-radius: 10px; box-shadow: var(--shade); }
#found a { display: grid; grid-template-columns: 1fr auto; gap: 0 0.8rem; padding: 0.4rem 0.7rem; border-radius: 6px; color: var(--ink); text-decoration: none; }
#found a[aria-selected=true], #found a:hover { background: var(--code); }
#found .name { font-weight: 600; overflow-wrap: anywhere; } #found .kind { color: var(--soft); font-size: 0.8rem; }
#found .about { grid-column: 1 / -1; color: var(--soft); font-size: 0.85rem; line-height: 1.35; }
#found .none { display: block; padding: 0.6rem 0.8rem; color: var(--soft); }
.columns { display: flex; align-items: flex-start; }
.beside { flex: 0 0 var(--side); position: sticky; top: 3.4rem; height: calc(100vh - 3.4rem); overflow-y: auto; padding: 1.5rem 1rem 3rem 1.5rem;
  border-right: 1px solid var(--line); font-size: 0.9rem; line-height: 1.4; }
.beside summary { display: none; }
.beside p { margin: 1.2rem 0 0.4rem; color: var(--soft); font-size: 0.78rem; letter-spacing: 0.03em; }
.beside ul { list-style: none; margin: 0; padding: 0; }
.beside li ul { margin: 0.2rem 0 0.5rem 0.2rem; padding-left: 0.7rem; border-left: 1px solid var(--line); }
.beside a { display: block; padding: 0.16rem 0; color: var(--soft); text-decoration: none; overflow-wrap: anywhere; }
.beside a code { font-size: 0.8rem; }
.beside a:hover { color: var(--ink); } .beside a[aria-current] { color: var(--ink); font-weight: 600; }
main { flex: 1 1 0; min-width: 0; max-width: 62rem; margin: 0 auto; padding: 2.2rem 2.5rem 4rem; }
footer { border-top: 1px solid var(--line); padding: 1.2rem 1.5rem 2rem; color: var(--soft); font-size: 0.88rem; text-align: center; }
footer a { color: inherit; }
h1, h2, h3, h4 { text-wrap: balance; line-height: 1.25; letter-spacing: -0.012em; }
main > h1, .prose h1 { font-size: 2rem; margin: 0 0 1rem; }
.lead, .lead p { font-size: 1.12rem; line-height: 1.55; color: var(--soft); margin: 0 0 1rem; max-width: 46rem; }
.small { font-size: 0.88rem; color: var(--soft); }
.note { font-size: 0.85rem; color: var(--soft); margin: 0 0 1.4rem; }
.prose table { display: block; overflow-x: auto; max-width: 100%; } .prose td, .prose th { vertical-align: top; }
.prose { max-width: 48rem; }
pre.code { position: relative; }
.copy { position: absolute; top: 0.4rem; right: 0.4rem; font: 12px system-ui, sans-serif; color: var(--soft); background: var(--raise);
  border: 1px solid var(--line); border-radius: 5px; padding: 0.15rem 0.5rem; cursor: pointer; opacity: 0; }
pre.code:hover .copy, .copy:focus-visible { opacity: 1; }
@media (hover: none) { .copy { display: none; } }
`;

const REFERENCE = `
.reference h2.part { font-size: 0.85rem; font-weight: 600; color: var(--soft); letter-spacing: 0.02em; margin: 2.6rem 0 0; }
.entry { padding: 1.5rem 0 0.4rem; border-bottom: 1px solid var(--line); }
.entry h3, .member h4 { display: flex; flex-wrap: wrap; align-items: baseline; gap: 0.2rem 0.7rem; margin: 0 0 0.6rem; font-size: 1.2rem; }
.entry h3 a, .member h4 a { color: var(--ink); text-decoration: none; } .entry h3 a:hover code, .member h4 a:hover code { text-decoration: underline; }
.member { margin-top: 1.8rem; } .member h4 { font-size: 1.02rem; }
.kind { font: 400 0.8rem system-ui, sans-serif; letter-spacing: 0; color: var(--soft); }
.source { color: var(--soft); font: 400 0.76rem ui-monospace, monospace; letter-spacing: 0; } h3 .source { margin-left: auto; }
.signature { background: var(--code); border-radius: 6px; padding: 0.6rem 0.9rem; margin: 0.6rem 0; }
.signature .t { color: var(--string); } .signature a, .field code a { text-decoration-color: color-mix(in srgb, currentColor 35%, transparent); }
.entry p, .member p { margin: 0.5rem 0; max-width: 48rem; }
.entry code, .member code, .fields code { overflow-wrap: anywhere; }
.entry :is(p, li, td) code, .member :is(p, li, td) code, .field > div code { background: var(--code); border-radius: 4px; padding: 0.05em 0.3em; font-size: 0.88em; }
.entry p > a > code, .small code { background: none !important; padding: 0 !important; }
.said { display: grid; grid-template-columns: 4rem 1fr; gap: 0.6rem; margin: 0.5rem 0; } .said > b { font-size: 0.85rem; font-weight: 600; color: var(--soft); padding-top: 0.1rem; }
.said p { margin: 0; }
.fields { margin: 0.7rem 0 1rem; }
.field { display: grid; grid-template-columns: minmax(0, 19rem) minmax(0, 1fr); gap: 0 1.4rem; padding: 0.45rem 0; border-top: 1px solid var(--line); font-size: 0.92rem; }
.field > code { grid-column: 1; font-size: 0.84rem; line-height: 1.5; white-space: pre-wrap; } .field > code b, .signature b { font-weight: 650; }
.field > div { grid-column: 2; grid-row: 1 / span 20; } .field p { margin: 0 0 0.3rem; }
.field .t { color: var(--soft); }
.options { margin: 0.4rem 0 1.2rem; padding-left: 1rem; border-left: 2px solid var(--line); } .options h4 { margin: 0; font-size: 0.9rem; color: var(--soft); }
.others { margin-top: 3rem; } .others > summary { cursor: pointer; color: var(--soft); padding: 0.4rem 0; }
:target { scroll-margin-top: 4.5rem; } h3:target, h4:target, .field:target { background: linear-gradient(to right, color-mix(in srgb, var(--mark) 28%, transparent), transparent); }
.names { list-style: none; padding: 0; margin: 0.6rem 0; } .names li { display: grid; grid-template-columns: 12rem 1fr; gap: 1rem; padding: 0.22rem 0; }
.names span { color: var(--soft); font-size: 0.92rem; } .all section { margin-top: 2.4rem; } .all h2 { margin: 0; } .all h2 a { color: var(--ink); text-decoration: none; }
.all .about p { margin: 0.2rem 0; color: var(--soft); } .all .small { max-width: 60rem; line-height: 1.8; }
`;

const TUTORIALS = `
.tutorial main { max-width: 66rem; padding-left: 4rem; }
.outputs img.figure { max-width: min(100%, 800px); height: auto; } .outputs img { height: auto; }
.cell .code a { color: inherit; text-decoration-color: color-mix(in srgb, var(--accent) 60%, transparent); } .cell .code a:hover { color: var(--accent); }
.turns { display: flex; justify-content: space-between; gap: 1rem; margin-top: 3.5rem; padding-top: 1.2rem; border-top: 1px solid var(--line); }
.turns a { max-width: 48%; text-decoration: none; font-weight: 600; } .turns a span { display: block; font-weight: 400; font-size: 0.82rem; color: var(--soft); } .turns a[rel=next] { text-align: right; margin-left: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 1.1rem; margin: 1.4rem 0; }
.card { display: flex; flex-direction: column; border: 1px solid var(--line); border-radius: 10px; overflow: hidden; color: var(--ink); text-decoration: none; padding-bottom: 0.9rem; transition: border-color 0.15s; }
.card:hover { border-color: var(--accent); } .card img { width: 100%; height: 9.5rem; object-fit: cover; object-position: left top; border-bottom: 1px solid var(--line); padding: 0.5rem; }
.card b { padding: 0.8rem 1rem 0.25rem; line-height: 1.3; } .card span { padding: 0 1rem; color: var(--soft); font-size: 0.87rem; line-height: 1.45;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden; }
`;

const FRONT = `
.front main { max-width: 76rem; } .list main { max-width: 72rem; }
.hero { display: grid; grid-template-columns: minmax(0, 5fr) minmax(0, 6fr); gap: 3rem; align-items: center; padding: 2rem 0 3rem; }
.hero h1 { font-size: clamp(2rem, 4.4vw, 3.1rem); line-height: 1.08; letter-spacing: -0.03em; margin: 0 0 1.1rem; }
.shot { width: 100%; height: auto; border-radius: 10px; border: 1px solid var(--line); box-shadow: var(--shade); }
.two { font-size: 1rem; border-left: 3px solid var(--mark); margin: 1.3rem 0; }
.ways { display: flex; flex-wrap: wrap; gap: 0.7rem 1.1rem; align-items: center; } .ways .main { background: var(--deep); color: #fff; text-decoration: none; font-weight: 600; border-radius: 7px; padding: 0.55rem 1.1rem; }
@media (prefers-color-scheme: dark) { .ways .main { background: #2d6cb0; } }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 2.5rem; align-items: center; padding: 2.4rem 0; border-top: 1px solid var(--line); }
.pair h2 { font-size: 1.6rem; margin: 0 0 0.6rem; } .pair p { color: var(--soft); } .front section > h2 { font-size: 1.6rem; }
.chips { display: flex; flex-wrap: wrap; gap: 0.5rem; } .chips a { border: 1px solid var(--line); border-radius: 99px; padding: 0.15rem 0.8rem; font-size: 0.88rem; text-decoration: none; color: var(--ink); } .chips a:hover { border-color: var(--accent); }
`;

const PHONE = `
@media (max-width: 860px) {
  .bar { flex-wrap: wrap; padding: 0.55rem 1rem; position: static; } .bar nav { gap: 0.2rem 0.95rem; font-size: 0.94rem; flex-wrap: nowrap; } html { scroll-padding-top: 1rem; } .search { order: 3; flex: 1 1 100%; margin: 0; } .search input { width: 100%; } #found { width: 100%; }
  .columns { display: block; } main, .tutorial main { padding: 1.4rem 1rem 3rem; }
  .beside { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); padding: 0.6rem 1rem; }
  .beside summary { display: list-item; cursor: pointer; color: var(--soft); } .beside[open] { padding-bottom: 1.2rem; }
  .count { position: static; margin: 0 0 0.15rem; } .outputs { padding-left: 0; overflow-x: auto; } .outputs img.figure { width: 42rem; max-width: none; }
  .hero, .pair { grid-template-columns: minmax(0, 1fr); gap: 1.4rem; padding: 1.4rem 0; }
  .field { grid-template-columns: minmax(0, 1fr); } .field > div { grid-column: 1; grid-row: auto; } .names li { grid-template-columns: 1fr; gap: 0; } .said { grid-template-columns: 1fr; gap: 0; }
  h3 .source { margin-left: 0; flex-basis: 100%; } .prose h1, main > h1 { font-size: 1.6rem; }
}
@media print { .bar, .beside, footer, .copy { display: none; } }
`;

// The shared rules first, so that the site's own may differ.
export const STYLE = COLOURS + CELLS + LAYOUT + REFERENCE + TUTORIALS + FRONT + PHONE;
