// TypeScript types as HTML, with every name that the reference knows as a link. Written as one would write them by hand: no more
// brackets than are needed.

import { escapeHtml } from "../run/escape.ts";
import type { Reflection, Type } from "./reflections.ts";

/** Where the entry with TypeDoc's number is, as seen from the page. */
export type Linked = (id: number) => string | undefined;

const COMPOUND = new Set(["union", "intersection", "conditional", "typeOperator", "query"]);

export function typeHtml(type: Type | undefined, linked: Linked): string {
  const of = (one: Type | undefined) => typeHtml(one, linked);
  if (!type) return "any";
  switch (type.type) {
    case "intrinsic":
      return `<span class="t">${escapeHtml(String(type.name))}</span>`;
    case "literal":
      return literal(type.value);
    case "reference": {
      const name = named(String(type.name), type.target, linked);
      const given = type.typeArguments?.length ? `&lt;${type.typeArguments.map(of).join(", ")}&gt;` : "";
      return name + given;
    }
    case "array":
      return `${within(type.elementType, linked)}[]`;
    case "union":
      return (type.types ?? []).map((one) => (isCall(one) ? `(${of(one)})` : of(one))).join(" | ");
    case "intersection":
      return (type.types ?? []).map((one) => within(one, linked)).join(" & ");
    case "tuple":
      return `[${(type.elements ?? []).map(of).join(", ")}]`;
    case "namedTupleMember":
      return `${escapeHtml(String(type.name))}${type.isOptional ? "?" : ""}: ${of(type.element)}`;
    case "optional":
      return `${within(type.elementType, linked)}?`;
    case "rest":
      return `...${of(type.elementType)}`;
    case "typeOperator":
      return `${escapeHtml(String(type.operator))} ${of(type.target as Type)}`;
    case "indexedAccess":
      return `${within(type.objectType, linked)}[${of(type.indexType)}]`;
    case "query":
      return `typeof ${of(type.queryType)}`;
    case "predicate":
      return `${type.asserts ? "asserts " : ""}${escapeHtml(String(type.name))}${type.targetType ? ` is ${of(type.targetType)}` : ""}`;
    case "conditional":
      return `${of(type.checkType)} extends ${of(type.extendsType)} ? ${of(type.trueType)} : ${of(type.falseType)}`;
    case "mapped":
      return `{ [${escapeHtml(String(type.parameter))} in ${of(type.parameterType)}]: ${of(type.templateType)} }`;
    case "templateLiteral":
      return `\`${escapeHtml(type.head ?? "")}${(type.tail ?? []).map(([one, text]) => `\${${of(one)}}${escapeHtml(text)}`).join("")}\``;
    case "inferred":
      return `infer ${escapeHtml(String(type.name))}`;
    case "reflection":
      return type.declaration ? shape(type.declaration, linked) : "{}";
    case "unknown":
      return escapeHtml(String(type.name));
    default:
      throw new Error(`kernel/cli/docs/types.ts has no form for TypeDoc's type "${type.type}".`);
  }
}

/** A call as it is declared, without "function": each parameter on a line of its own where one line would be long. */
export function signatureHtml(signature: Reflection, name: string, linked: Linked, result = ": "): string {
  const parameters = (signature.parameters ?? []).map((one, i) => parameter(one, i, linked));
  const generic = generics(signature, linked);
  const returns = signature.type ? `${result}${typeHtml(signature.type, linked)}` : "";
  const line = `${name}${generic}(${parameters.join(", ")})${returns}`;
  if (plainLength(line) <= 84 || !parameters.length) return line;
  return `${name}${generic}(\n${parameters.map((one) => `  ${one},\n`).join("")})${returns}`;
}

/** A property as it is declared. */
export function propertyHtml(property: Reflection, linked: Linked): string {
  const optional = property.flags.isOptional ? "?" : "";
  const type = property.getSignature?.type ?? property.type;
  return `<b>${escapeHtml(property.name)}</b>${optional}: ${typeHtml(type, linked)}`;
}

export function generics({ typeParameters }: Reflection, linked: Linked): string {
  if (!typeParameters?.length) return "";
  const each = typeParameters.map(
    ({ name, type, default: usual }) =>
      escapeHtml(name) +
      (type ? ` extends ${typeHtml(type, linked)}` : "") +
      (usual ? ` = ${typeHtml(usual, linked)}` : ""),
  );
  return `&lt;${each.join(", ")}&gt;`;
}

function parameter({ name, flags, type, defaultValue }: Reflection, index: number, linked: Linked): string {
  // What is taken apart at once has no name: TypeDoc makes one up.
  const called = name === "__namedParameters" ? (index === 0 ? "options" : `options${index + 1}`) : name;
  const optional = flags.isOptional || defaultValue !== undefined ? "?" : "";
  return `${flags.isRest ? "..." : ""}${escapeHtml(called)}${optional}: ${typeHtml(type, linked)}`;
}

function shape(declaration: Reflection, linked: Linked): string {
  const { signatures = [], children = [], indexSignatures = [] } = declaration;
  if (signatures.length === 1 && !children.length) return signatureHtml(signatures[0]!, "", linked, " => ");
  const parts = [
    ...signatures.map((one) => signatureHtml(one, "", linked)),
    ...indexSignatures.map(
      (one) =>
        `[${(one.parameters ?? []).map((key, i) => parameter(key, i, linked)).join(", ")}]: ${typeHtml(one.type, linked)}`,
    ),
    ...children.flatMap((child) =>
      child.signatures
        ? child.signatures.map((one) => signatureHtml(one, escapeHtml(child.name), linked))
        : [
            `${escapeHtml(child.name)}${child.flags.isOptional ? "?" : ""}: ${typeHtml(child.getSignature?.type ?? child.type, linked)}`,
          ],
    ),
  ];
  return parts.length ? `{ ${parts.join("; ")} }` : "{}";
}

const isCall = ({ type, declaration }: Type): boolean => type === "reflection" && !!declaration?.signatures;

function within(type: Type | undefined, linked: Linked): string {
  const html = typeHtml(type, linked);
  return type && (COMPOUND.has(type.type) || isCall(type)) ? `(${html})` : html;
}

function named(name: string, target: unknown, linked: Linked): string {
  const href = typeof target === "number" ? linked(target) : undefined;
  return href ? `<a href="${escapeHtml(href)}">${escapeHtml(name)}</a>` : escapeHtml(name);
}

function literal(value: unknown): string {
  if (typeof value === "string") return `<span class="s">${escapeHtml(JSON.stringify(value))}</span>`;
  if (typeof value === "object" && value !== null) {
    const { value: digits, negative } = value as { value: string; negative: boolean };
    return `<span class="n">${negative ? "-" : ""}${escapeHtml(digits)}n</span>`;
  }
  return `<span class="n">${escapeHtml(String(value))}</span>`;
}

const plainLength = (html: string): number =>
  html.replace(/<[^>]*>/g, "").replace(/&\w+;|&#\d+;/g, "x").length;
