// TypeDoc's JSON as far as the reference reads it. What the file says was made by TypeDoc from our own sources; what is missing
// from it is an error of the build, told by name.

/** A name, a member, a signature or a parameter: TypeDoc calls all of them reflections. */
export interface Reflection {
  readonly id: number;
  readonly name: string;
  readonly kind: number;
  readonly flags: {
    readonly isOptional?: boolean;
    readonly isReadonly?: boolean;
    readonly isStatic?: boolean;
    readonly isRest?: boolean;
    readonly isConst?: boolean;
  };
  readonly comment?: Comment;
  readonly sources?: readonly { readonly fileName: string; readonly line: number }[];
  readonly children?: readonly Reflection[];
  readonly signatures?: readonly Reflection[];
  readonly indexSignatures?: readonly Reflection[];
  readonly getSignature?: Reflection;
  readonly parameters?: readonly Reflection[];
  readonly typeParameters?: readonly Reflection[];
  readonly type?: Type;
  /** Of a type parameter. */
  readonly default?: Type;
  readonly defaultValue?: string;
  readonly extendedTypes?: readonly Type[];
}

export interface Comment {
  readonly summary: readonly Part[];
  readonly blockTags?: readonly { readonly tag: string; readonly content: readonly Part[] }[];
}

export interface Part {
  readonly kind: "text" | "code" | "inline-tag" | "relative-link";
  readonly text: string;
  readonly tag?: string;
  /** Of a link: a reflection's number, or an address. */
  readonly target?: unknown;
}

/** One of TypeDoc's types; which fields it has, `type` says. */
export interface Type {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  /** A reflection's number, or where a name of another package is from; of an operator the type it is put before. */
  readonly target?: unknown;
  readonly typeArguments?: readonly Type[];
  readonly types?: readonly Type[];
  readonly elements?: readonly Type[];
  readonly elementType?: Type;
  readonly element?: Type;
  readonly isOptional?: boolean;
  readonly operator?: string;
  readonly declaration?: Reflection;
  readonly objectType?: Type;
  readonly indexType?: Type;
  readonly queryType?: Type;
  readonly asserts?: boolean;
  readonly targetType?: Type;
  readonly checkType?: Type;
  readonly extendsType?: Type;
  readonly trueType?: Type;
  readonly falseType?: Type;
  readonly parameter?: string;
  readonly parameterType?: Type;
  readonly templateType?: Type;
  readonly head?: string;
  readonly tail?: readonly (readonly [Type, string])[];
}

export const KINDS = {
  module: 2,
  namespace: 4,
  variable: 32,
  function: 64,
  class: 128,
  interface: 256,
  constructor: 512,
  accessor: 262_144,
  alias: 2_097_152,
} as const;

/** A call's signatures, wherever TypeDoc keeps them: a function's own, or those of a value's type. */
export function signaturesOf(reflection: Reflection): readonly Reflection[] {
  if (reflection.kind === KINDS.alias) return [];
  return reflection.signatures ?? declarations(reflection.type).flatMap((one) => one.signatures ?? []);
}

/** What is reached with a dot: of a class or an interface, or of a value's type. */
export function membersOf(reflection: Reflection): readonly Reflection[] {
  const children = reflection.children ?? declarations(reflection.type).flatMap((one) => one.children ?? []);
  // What stands in brackets (a symbol) is for machines; constructors are signatures of the class.
  return children.filter(({ name, kind }) => !name.startsWith("[") && kind !== KINDS.constructor);
}

/** The shapes that a type writes out: its own, or each of those it joins. */
function declarations(type: Type | undefined): readonly Reflection[] {
  if (type?.type === "reflection" && type.declaration) return [type.declaration];
  if (type?.type === "intersection") return (type.types ?? []).flatMap(declarations);
  return [];
}

/** The comment that speaks of it: its own, its getter's, or its first signature's. */
export function commentOf(reflection: Reflection): Comment | undefined {
  return (
    reflection.comment ??
    reflection.getSignature?.comment ??
    signaturesOf(reflection).find(({ comment }) => comment)?.comment
  );
}
