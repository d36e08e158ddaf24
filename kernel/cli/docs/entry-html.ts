// One entry of the reference as HTML: how it is called, what it does, its options in place, what it throws, an example, and the
// tutorials that show it at work.

import { escapeHtml } from "../run/escape.ts";
import { blocksOf, firstSentence, proseHtml, summaryHtml } from "./comments.ts";
import { type Entry, memberAnchor, type Reference } from "./entries.ts";
import { hrefFrom } from "./layout.ts";
import { type Comment, commentOf, KINDS, membersOf, type Reflection, signaturesOf } from "./reflections.ts";
import { speltOut } from "./spelt.ts";
import { generics, type Linked, propertyHtml, signatureHtml, typeHtml } from "./types.ts";

export interface Context {
  readonly page: string;
  readonly reference: Reference;
  readonly linked: Linked;
  /** Tutorials, by the names that they import. */
  readonly shownIn: ReadonlyMap<string, readonly { title: string; path: string }[]>;
}

const KIND_WORDS = {
  function: "function",
  value: "value",
  class: "class",
  interface: "interface",
  type: "type",
};

export function entryHtml(entry: Entry, context: Context): string {
  return `<section class="entry">${headOf(entry, context)}${bodyOf(entry, context)}</section>`;
}

/** A class on a page of its own. */
export function classHtml(entry: Entry, context: Context): string {
  const { name, anchor, kind, reflection, source } = entry;
  return `<h1 id="${escapeHtml(anchor)}"><code>${escapeHtml(name)}</code> <span class="kind">${kind}</span></h1>
<p class="source">${escapeHtml(source)}</p>
${remarks(commentOf(reflection), context)}${constructors(entry, context)}${uses(entry, context)}
${members(entry, context)}`;
}

/** Ways to make one by hand, where the docstring speaks of them; most are made by a call. */
function constructors({ name, reflection }: Entry, context: Context): string {
  return (reflection.children ?? [])
    .filter(({ kind }) => kind === KINDS.constructor)
    .flatMap(({ signatures = [] }) => signatures)
    .filter((signature) => signature.comment ?? signature.parameters?.some(({ comment }) => comment))
    .map(
      (signature) =>
        declared(
          signatureHtml({ ...signature, type: undefined }, `<b>new ${escapeHtml(name)}</b>`, context.linked),
        ) + remarks(signature.comment, context, parameters(signature, context)),
    )
    .join("");
}

/** A class on its stage's page: what it is, and what it can do. */
export function glance(entry: Entry, context: Context): string {
  const { name, page, reflection } = entry;
  const href = (anchor: string) => escapeHtml(hrefFrom(context.page, `${page}#${anchor}`));
  const list = membersOf(reflection).map(
    (member) => `<a href="${href(memberAnchor(entry, member))}"><code>${escapeHtml(member.name)}</code></a>`,
  );
  return `<section class="entry"><h3><a href="${href(entry.anchor)}"><code>${escapeHtml(name)}</code></a> <span class="kind">class</span></h3>
<p>${escapeHtml(firstSentence(commentOf(reflection)))}</p><p class="small">${list.join(" ")}</p></section>`;
}

function headOf({ name, anchor, kind, source, exported }: Entry, { page }: Context): string {
  const words = exported ? KIND_WORDS[kind] : `${KIND_WORDS[kind]}, not exported`;
  const href = escapeHtml(hrefFrom(page, `${page}#${anchor}`));
  return `<h3 id="${escapeHtml(anchor)}"><a href="${href}"><code>${escapeHtml(name)}</code></a> <span class="kind">${words}</span><span class="source">${escapeHtml(source)}</span></h3>`;
}

function bodyOf(entry: Entry, context: Context): string {
  const { reflection, kind, name } = entry;
  const { linked } = context;
  if (kind === "function") return calls(reflection, name, context) + uses(entry, context);
  if (kind === "value") {
    const own = signaturesOf(reflection).length ? calls(reflection, name, context) : "";
    const shape =
      own || membersOf(reflection).length
        ? ""
        : declared(`const ${escapeHtml(name)}: ${typeHtml(reflection.type, linked)}`);
    const told =
      own && !reflection.comment ? "" : remarks(reflection.comment ?? commentOf(reflection), context);
    return told + own + shape + uses(entry, context) + members(entry, context);
  }
  if (kind === "type") {
    const words = remarks(
      commentOf(reflection) ?? signaturesOf({ ...reflection, kind: 0 })[0]?.comment,
      context,
    );
    // TypeDoc has the members of an object's type in the place of the type.
    if (!reflection.type) return words + fields(entry, context);
    const { entries } = context.reference;
    const valueWith = (id: number) => entries.find((one) => one.reflection.id === id)?.reflection;
    const right = typeHtml(speltOut(reflection.type, valueWith), linked);
    return declared(`type ${escapeHtml(name)}${generics(reflection, linked)} = ${right}`) + words;
  }
  const parents = (reflection.extendedTypes ?? []).map((one) => typeHtml(one, linked)).join(", ");
  const line = parents && `<p class="small">Extends ${parents}.</p>`;
  return (
    remarks(commentOf(reflection), context) +
    line +
    callable(reflection, name, context) +
    fields(entry, context)
  );
}

/** An interface that can be called itself. */
const callable = (reflection: Reflection, name: string, context: Context): string =>
  signaturesOf(reflection).length ? calls(reflection, name, context) : "";

/** Each way to call it, with its words; words that are the same as those before are not said twice. */
function calls(reflection: Reflection, name: string, context: Context): string {
  let said = "";
  return signaturesOf(reflection)
    .map((signature) => {
      const words = remarks(signature.comment, context, parameters(signature, context));
      const html =
        declared(signatureHtml(signature, `<b>${escapeHtml(name)}</b>`, context.linked)) +
        (words === said ? "" : words);
      said = words;
      const options = context.reference.nested.get(signature.id) ?? [];
      return html + options.map((one) => nestedHtml(one, context)).join("");
    })
    .join("");
}

const declared = (html: string): string => `<pre class="signature"><code>${html}</code></pre>`;

/** What a docstring says: prose, parameters, result, errors, examples. */
function remarks(comment: Comment | undefined, { linked }: Context, parameters = ""): string {
  if (!comment) return parameters;
  const blocks = (tag: string) => blocksOf(comment, tag, linked);
  const line = (word: string, html: string) => `<div class="said"><b>${word}</b>${html}</div>`;
  return [
    summaryHtml(comment, linked),
    ...blocks("@remarks"),
    parameters,
    ...blocks("@returns").map((html) => line("Gives", html)),
    ...blocks("@throws").map((html) => line("Throws", html)),
    ...blocks("@see").map((html) => line("See", html)),
    ...blocks("@example"),
  ].join("\n");
}

/** The parameters that the docstring has words for. */
function parameters(signature: Reflection, { linked }: Context): string {
  const told = (signature.parameters ?? []).flatMap(({ name, comment, type, flags }) => {
    const inner = (type?.type === "reflection" ? (type.declaration?.children ?? []) : []).flatMap((child) => {
      const words = commentOf(child);
      return words ? [{ ...child, comment: words }] : [];
    });
    const own = comment
      ? [{ name: name === "__namedParameters" ? "options" : name, comment, type, flags }]
      : [];
    return [...own, ...inner];
  });
  if (!told.length) return "";
  const rows = told.map(
    ({ name, comment }) =>
      `<div class="field"><code><b>${escapeHtml(name)}</b></code><div>${proseHtml(comment?.summary, linked)}</div></div>`,
  );
  return `<div class="fields">${rows.join("")}</div>`;
}

function nestedHtml(entry: Entry, context: Context): string {
  const { name, anchor, reflection } = entry;
  return `<div class="options"><h4 id="${escapeHtml(anchor)}"><code>${escapeHtml(name)}</code></h4>${remarks(commentOf(reflection), context)}${fields(entry, context)}</div>`;
}

/** What an interface holds, each with its words. */
function fields(entry: Entry, context: Context): string {
  const list = membersOf(entry.reflection);
  const index = entry.reflection.indexSignatures ?? [];
  if (!list.length && !index.length) return "";
  const rows = [
    ...list.map((member) => fieldHtml(entry, member, context)),
    ...index.map(
      (one) =>
        `<div class="field"><code>[${(one.parameters ?? []).map((key) => `${escapeHtml(key.name)}: ${typeHtml(key.type, context.linked)}`).join("")}]: ${typeHtml(one.type, context.linked)}</code><div>${proseHtml(one.comment?.summary, context.linked)}</div></div>`,
    ),
  ];
  return `<div class="fields">${rows.join("")}</div>`;
}

function fieldHtml(entry: Entry, member: Reflection, context: Context): string {
  const id = escapeHtml(memberAnchor(entry, member));
  const { linked } = context;
  const own = member.signatures ?? [];
  const lines = own.length
    ? own.map((one) => signatureHtml(one, `<b>${escapeHtml(member.name)}</b>`, linked))
    : [propertyHtml(member, linked)];
  const words = remarks(commentOf(member), context) + own.map((one) => parameters(one, context)).join("");
  return `<div class="field" id="${id}">${lines.map((line) => `<code>${line}</code>`).join("")}<div>${words}</div></div>`;
}

/** The members of a class or a value: calls as calls, properties in one list before them. */
function members(entry: Entry, context: Context): string {
  const all = membersOf(entry.reflection);
  const isCall = (member: Reflection) => signaturesOf(member).length > 0;
  const properties = all.filter((member) => !isCall(member));
  const html = all.filter(isCall).map((member) => {
    const called = `${member.flags.isStatic || entry.kind === "value" ? `${entry.name}.` : "."}${member.name}`;
    const anchor = memberAnchor(entry, member);
    const href = escapeHtml(hrefFrom(context.page, `${context.page}#${anchor}`));
    const own =
      member.comment && member.comment !== commentOf({ ...member, comment: undefined })
        ? remarks(member.comment, context)
        : "";
    return `<section class="member"><h4 id="${escapeHtml(anchor)}"><a href="${href}"><code>${escapeHtml(called)}</code></a></h4>${own}${calls(member, member.name, context)}</section>`;
  });
  const list = properties.map((member) => fieldHtml(entry, member, context)).join("");
  return `${list && `<div class="fields">${list}</div>`}${html.join("\n")}`;
}

function uses({ name }: Entry, { shownIn, page }: Context): string {
  const list = shownIn.get(name);
  if (!list) return "";
  const links = list.map(
    ({ title, path }) => `<a href="${escapeHtml(hrefFrom(page, path))}">${escapeHtml(title)}</a>`,
  );
  return `<p class="small uses">At work in ${links.join(", ")}.</p>`;
}
