// The pages of the reference: one of all names, one a stage, one a class. What stands on them is decided in entries.ts, how an
// entry looks in entry-html.ts.

import { escapeHtml } from "../run/escape.ts";
import { markdownWith } from "../run/markdown.ts";
import { firstSentence } from "./comments.ts";
import { type Entry, memberAnchor, type Reference, stagesOf } from "./entries.ts";
import { type Context, classHtml, entryHtml, glance } from "./entry-html.ts";
import { type Group, hrefFrom, type Link, type Page } from "./layout.ts";
import { commentOf, membersOf } from "./reflections.ts";
import { pageOf, type Stage } from "./stages.ts";
import { importedNames, type Tutorial, titleOf, tutorialPath } from "./tutorials.ts";

const PATH = "reference/index.html";
const markdown = markdownWith();

export function referencePages(reference: Reference, tutorials: readonly Tutorial[]): Page[] {
  const shownIn = usesOf(tutorials);
  const present = stagesOf(reference);
  const contextOf = (page: string): Context => ({
    page,
    reference,
    shownIn,
    linked: (id) => {
      const place = reference.places.get(id);
      return place && hrefFrom(page, `${place.page}#${place.anchor}`);
    },
  });
  const classes = reference.entries.filter(({ kind, exported }) => kind === "class" && exported);
  return [
    allNames(reference, present),
    ...present.map((stage) => stagePage(stage, present, contextOf(pageOf(stage)))),
    ...classes.map((entry) => ({
      path: entry.page,
      title: entry.name,
      about: firstSentence(commentOf(entry.reflection)) || `The class ${entry.name}.`,
      look: "reference",
      body: classHtml(entry, contextOf(entry.page)),
      beside: besideOf(present, entry.stage, reference, entry),
    })),
  ];
}

/** The tutorials that import a name. */
function usesOf(tutorials: readonly Tutorial[]): Map<string, { title: string; path: string }[]> {
  const uses = new Map<string, { title: string; path: string }[]>();
  for (const tutorial of tutorials)
    for (const name of importedNames(tutorial.notebook)) {
      const use = { title: titleOf(tutorial.notebook).title, path: tutorialPath(tutorial) };
      uses.set(name, [...(uses.get(name) ?? []), use]);
    }
  return uses;
}

/** Exported calls and values first, classes, then types; what only others speak of is not among them. */
function partsOf(stage: Stage, { entries, isNested }: Reference) {
  const own = entries.filter((entry) => entry.stage === stage && !isNested.has(entry.reflection.id));
  const calls = own.filter(({ kind, exported }) => exported && (kind === "function" || kind === "value"));
  const classes = own.filter(({ kind, exported }) => exported && kind === "class");
  const types = own.filter(({ kind, exported }) => exported && (kind === "interface" || kind === "type"));
  return { calls, classes, types, others: own.filter(({ exported }) => !exported) };
}

function stagePage(stage: Stage, present: readonly Stage[], context: Context): Page {
  const { calls, classes, types, others } = partsOf(stage, context.reference);
  const part = (title: string, id: string, html: string[]) =>
    html.length ? `<h2 class="part" id="-${id}">${title}</h2>\n${html.join("\n")}` : "";
  const entries = (list: readonly Entry[]) => list.map((entry) => entryHtml(entry, context));
  const folded = others.length
    ? `<details class="others"><summary>Types that these speak of (${others.length}), which are not imported by name</summary>\n${entries(others).join("\n")}</details>`
    : "";
  const path = pageOf(stage);
  return {
    path,
    title: stage.title,
    about: stage.about.replaceAll("`", ""),
    look: "reference",
    body: `<h1>${escapeHtml(stage.title)}</h1>\n<div class="lead">${markdown(stage.about)}</div>
${part("Calls", "calls", entries(calls))}
${part(
  "Classes",
  "classes",
  classes.map((entry) => glance(entry, context)),
)}
${part("Types", "types", entries(types))}
${folded}`,
    beside: besideOf(present, stage, context.reference),
  };
}

function besideOf(present: readonly Stage[], at: Stage, reference: Reference, open?: Entry): Group[] {
  const link = (entry: Entry): Link => ({
    text: entry.name,
    to: entry.kind === "class" && entry.exported ? entry.page : `${entry.page}#${entry.anchor}`,
    isCode: true,
    within:
      entry === open
        ? membersOf(entry.reflection).map((member) => ({
            text: member.name,
            to: `${entry.page}#${memberAnchor(entry, member)}`,
            isCode: true,
          }))
        : [],
  });
  const inner = (stage: Stage): Link[] => {
    const { calls, classes, types } = partsOf(stage, reference);
    return [...calls, ...classes, ...types].map(link);
  };
  return [
    { links: [{ text: "All names", to: PATH }] },
    {
      title: "Stages",
      links: present.map((stage) => ({
        text: stage.title,
        to: pageOf(stage),
        within: stage === at ? inner(stage) : [],
      })),
    },
  ];
}

function allNames(reference: Reference, present: readonly Stage[]): Page {
  const about = "Every name that lensor exports, by stage.";
  const row = (entry: Entry): string => {
    const place = reference.places.get(entry.reflection.id)!;
    const href = escapeHtml(hrefFrom(PATH, `${place.page}#${place.anchor}`));
    return `<li class="${entry.kind}"><a href="${href}"><code>${escapeHtml(entry.name)}</code></a> <span>${escapeHtml(firstSentence(commentOf(entry.reflection)))}</span></li>`;
  };
  const lists = present.flatMap((stage) => {
    const { calls, classes, types } = partsOf(stage, reference);
    // Options are told of beside their calls, and listed there alone.
    const rows = [...calls, ...classes].map(row);
    const small = types.map((entry) => {
      const href = escapeHtml(hrefFrom(PATH, `${entry.page}#${entry.anchor}`));
      return `<a href="${href}"><code>${escapeHtml(entry.name)}</code></a>`;
    });
    if (!rows.length && !small.length) return [];
    const title = `<h2><a href="${escapeHtml(hrefFrom(PATH, pageOf(stage)))}">${escapeHtml(stage.title)}</a></h2>`;
    const types_ = small.length ? `<p class="small">Types: ${small.join(", ")}</p>` : "";
    return [
      `<section>${title}<div class="about">${markdown(stage.about)}</div><ul class="names">${rows.join("")}</ul>${types_}</section>`,
    ];
  });
  return {
    path: PATH,
    title: "Reference",
    about,
    look: "reference all",
    body: `<h1>Reference</h1>\n<p class="lead">${about} <code>import { … } from "lensor"</code> gives each of them.</p>\n${lists.join("\n")}`,
    beside: [
      { links: [{ text: "All names", to: PATH }] },
      { title: "Stages", links: present.map((stage) => ({ text: stage.title, to: pageOf(stage) })) },
    ],
  };
}
