// The page's one style sheet: a reading column, quiet code, figures at full width, light and dark. Its colours and the look of
// cells are the documentation's too.

export const COLOURS = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5d6877; --line: #e3e7ec; --code: #f6f7f9; --paper: #fff;
  --key: #8a2f6b; --string: #1b6e4b; --number: #9a5b00; --red: #b3261e; --accent: #0b5cad;
  /* What cards are told of JupyterLab's theme, they find here too. */
  --jp-content-font-color1: var(--ink); --jp-content-font-color2: var(--soft); }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a3b3; --line: #2c333d; --code: #1b2027;
  --paper: #12161b; --key: #e39ac6; --string: #86d3ae; --number: #e8b765; --red: #ff8a80; --accent: #7db8f5; } }
`;

const PAGE = `
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.5rem 5rem 4rem; }
@media print { main { padding: 0; } .code { border: 1px solid var(--line); } }
`;

/** Prose, code and outputs. */
export const CELLS = `
.prose { max-width: 44rem; }
.prose h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; letter-spacing: -0.01em; }
.prose h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.6rem 0 0.6rem; }
.prose h3 { font-size: 1.1rem; margin: 1.8rem 0 0.4rem; }
.prose p, .prose ul, .prose ol { margin: 0.7rem 0; }
.prose a { color: var(--accent); }
.prose img { max-width: 100%; }
.prose code { background: var(--code); padding: 0.1em 0.35em; border-radius: 4px; font-size: 0.88em; }
.prose pre code { background: none; padding: 0; }
.prose pre { background: var(--code); padding: 0.8rem 1rem; border-radius: 6px; overflow-x: auto; }
.prose blockquote { margin: 0.7rem 0; padding-left: 1rem; border-left: 3px solid var(--line); color: var(--soft); }
table { border-collapse: collapse; font-size: 0.92rem; }
th, td { padding: 0.3rem 0.8rem 0.3rem 0; border-bottom: 1px solid var(--line); text-align: left; }
pre, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { font-size: 13px; line-height: 1.55; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.cell { position: relative; margin-top: 1.1rem; }
.count { position: absolute; right: 100%; margin-right: 0.7rem; top: 0.75rem; color: var(--soft);
  font: 12px ui-monospace, monospace; white-space: nowrap; }
.code { background: var(--code); border-radius: 6px; padding: 0.7rem 1rem; overflow-x: auto; }
.outputs { margin: 0.5rem 0 1.4rem; display: grid; gap: 0.5rem; padding-left: 1rem; grid-template-columns: minmax(0, 1fr); }
.outputs img { max-width: 100%; }
.html { overflow-x: auto; }
.figure { width: 100%; }
.foreign { background: #fff; border-radius: 6px; }
.stderr { color: var(--soft); border-left: 3px solid var(--number); padding-left: 0.8rem; }
.error { border-left: 3px solid var(--red); padding-left: 0.8rem; }
.c { color: var(--soft); font-style: italic; } .s { color: var(--string); } .n { color: var(--number); } .k { color: var(--key); }
.a1 { font-weight: 600; } .a2 { color: var(--soft); } .a31, .a91 { color: var(--red); } .a32, .a92 { color: var(--string); }
.a33, .a93 { color: var(--number); } .a34, .a94, .a36, .a96 { color: var(--accent); } .a35, .a95 { color: var(--key); }
`;

export const STYLE = COLOURS + PAGE + CELLS;
