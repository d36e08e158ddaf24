// Types that are taken from a value's, in the words that a reader looks for: `(typeof PLACES)[number]` as the places themselves,
// `keyof typeof DTYPES` as its keys. Leaves all else as it is.

import { membersOf, type Reflection, type Type } from "./reflections.ts";

/** @param valueWith The value with TypeDoc's number */
export function speltOut(type: Type, valueWith: (id: number) => Reflection | undefined): Type {
  if (type.type === "union")
    return { ...type, types: (type.types ?? []).map((one) => speltOut(one, valueWith)) };
  const asked = (query: Type | undefined): Reflection | undefined => {
    const target = query?.type === "query" ? query.queryType?.target : undefined;
    return typeof target === "number" ? valueWith(target) : undefined;
  };
  const literals = (names: readonly unknown[]): Type => ({
    type: "union",
    types: names.map((value) => ({ type: "literal", value })),
  });
  if (type.type === "indexedAccess" && type.indexType?.name === "number") {
    const list = asked(type.objectType)?.type;
    const elements = (list?.type === "typeOperator" ? (list.target as Type) : list)?.elements ?? [];
    if (elements.length && elements.every((one) => one.type === "literal"))
      return literals(elements.map(({ value }) => value));
  }
  if (type.type === "typeOperator" && type.operator === "keyof") {
    const value = asked(type.target as Type);
    if (value && membersOf(value).length) return literals(membersOf(value).map(({ name }) => name));
  }
  return type;
}
