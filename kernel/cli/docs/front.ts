// The first page: what it is, two lines to begin with, a picture, and the ways in. What it claims, the README says too.

import { escapeHtml } from "../run/escape.ts";
import { highlight } from "../run/highlight.ts";
import { markdownWith } from "../run/markdown.ts";
import { stagesOf } from "./entries.ts";
import { hrefFrom, type Page } from "./layout.ts";
import type { Sources } from "./site.ts";
import { pageOf } from "./stages.ts";
import { type Card, cardsHtml } from "./tutorials.ts";

const PATH = "index.html";

const LOOK = `import { hub } from "lensor";

const model = await hub.load("smollm2-135m-instruct");
const trace = await model.trace("The cat sat on the mat.");
trace.attention({ layer: 16 }).plot();`;

const SLIDER = `const layer = input.slider("layer", { min: 0, max: 29 });

// in another cell: drawn anew while it is dragged
trace.attention({ layer: layer.value }).plot();`;

const SMALLER = `const method = gptq({ bits: 3, group: 64 });
const small = await model.quantize(method, { calibrate });
const both = await compare([model, small], perplexity(heldOut));
both.plot();`;

export function frontPage({ readme, images, reference }: Sources, tutorials: readonly Card[]): Page {
  const to = (path: string) => escapeHtml(hrefFrom(PATH, path));
  const intro = /^# .*\n+([\s\S]*?)\n\n/.exec(readme)?.[1] ?? "";
  const code = (text: string) => `<pre class="code"><code>${highlight(text)}</code></pre>`;
  const picture = (name: string, words: string, rest = "") =>
    images.has(`notebooks/images/${name}`)
      ? `<img src="${to(`images/${name}`)}" alt="${escapeHtml(words)}"${rest}>`
      : "";
  const about = "A reactive TypeScript kernel for Jupyter, and a library to look inside language models.";
  const inside = stagesOf(reference)
    .filter(({ folder }) => folder && folder !== "calibrate")
    .map((stage) => `<a href="${to(pageOf(stage))}">${escapeHtml(stage.title)}</a>`);
  const body = `
<section class="hero">
<div>
<h1>See what a language model does, cell by cell</h1>
<div class="lead">${markdownWith()(intro)}</div>
<pre class="code two"><code>npm i lensor
npx lensor install</code></pre>
<p class="ways"><a class="main" href="${to("start.html")}">Get started</a><a href="${to(tutorials[0]?.path ?? "tutorials/index.html")}">Take the tour</a><a href="${to("reference/index.html")}">Reference</a></p>
</div>
${picture("tour.png", "A notebook in JupyterLab: a cell of TypeScript, and below it the attention maps of a model's 270 heads", ' class="shot"')}
</section>
<section class="pair">
<div><h2>Four lines to every head</h2><p>Load a real model in one line, trace a sentence, and a cell's value draws itself. Results are figures, tables and tensors alike, in a notebook and in plain Node.</p></div>
<div>${code(LOOK)}</div>
</section>
<section class="pair">
<div><h2>A cell knows what depends on it</h2><p>Nothing is declared. Move a slider, and the cells that read it run again, and no others; what would take long is marked instead, with why and how long.</p>${code(SLIDER)}</div>
${picture("reactive.png", "A slider in a notebook, and nine attention maps that follow it", ' class="shot" loading="lazy"')}
</section>
<section class="pair">
<div><h2>Every stage is one cell</h2><p>Curate, train, fine-tune, align, quantize, prune, route, merge, compact a cache, decode, evaluate: each is a call, and its result says in numbers what it cost and what it was worth.</p><p class="chips">${inside.join("")}</p></div>
<div>${code(SMALLER)}<p>A native engine does the arithmetic, on the CPU at hand and without Python in the loop. <a href="${to("measured.html")}">What works, and how fast, beside its peers</a>.</p></div>
</section>
<section><h2>Tutorials</h2>
${cardsHtml(tutorials.slice(0, 6), PATH)}
<p><a href="${to("tutorials/index.html")}">All ${tutorials.length} tutorials</a></p>
</section>`;
  return { path: PATH, title: "lensor", about, body, look: "front" };
}
