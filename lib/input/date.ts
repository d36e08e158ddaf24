// A day to pick. Relies on input.ts. Days are at midnight UTC, so that they are the same day wherever they are read.

import { LensorError } from "../errors.ts";
import { checkNames, describe } from "../options.ts";
import { control, labelled } from "./definition.ts";
import { checkLabel, Input } from "./input.ts";

export interface DateOptions {
  /** The day at first, a Date or a text such as `2026-10-04`; by default none. */
  value?: Date | string;
  /** The first day allowed. */
  min?: Date | string;
  /** The last day allowed. */
  max?: Date | string;
}

/**
 * A day: `value` is a Date at midnight UTC, or undefined while none is picked.
 * @throws LensorError for what is no day, `min` after `max`, and a value outside.
 * @example const since = input.date("since", { value: "2026-10-04" });
 */
export function date(label: string, options: DateOptions = {}): Input<Date | undefined> {
  const call = "input.date";
  checkLabel(call, label);
  checkNames(call, options, ["value", "min", "max"]);
  const min = options.min === undefined ? undefined : dayOf(call, "min", options.min);
  const max = options.max === undefined ? undefined : dayOf(call, "max", options.max);
  if (min !== undefined && max !== undefined && min > max)
    throw new LensorError(`${call}: min has to be no later than max`, { got: `min ${min}, max ${max}` });
  const encode = (where: string, given: Date | string | undefined): object | null => {
    if (given === undefined || given === null) return null;
    const day = dayOf(where, "value", given);
    if ((min === undefined || day >= min) && (max === undefined || day <= max)) return stateOf(day);
    throw new LensorError(`${where}: value is out of range`, {
      expected: [min && `no day before ${min}`, max && `no day after ${max}`].filter(Boolean).join(" and "),
      got: day,
    });
  };
  const value = encode(call, options.value);
  const bounds = {
    min: min === undefined ? null : stateOf(min),
    max: max === undefined ? null : stateOf(max),
  };
  const model = control("DatePicker", label, { ...bounds, step: 1, value });
  const rule = { type: "date" as const, ...(min && { min }), ...(max && { max }) };
  return new Input<Date | undefined>(
    { kind: "date", label, key: "value", value, rule, parts: [labelled(model, "Description")] },
    {
      decode: dateOf,
      encode: (given) => encode(`input ${JSON.stringify(label)}`, given),
      text: (day) => day?.toISOString().slice(0, 10) ?? "none",
    },
  );
}

/** `2026-10-04`; of a Date its day in UTC. */
function dayOf(call: string, name: string, value: unknown): string {
  const date =
    typeof value === "string" && /^\d{4}-\d\d-\d\d$/.test(value) ? new Date(`${value}T00:00:00Z`) : value;
  const fits = date instanceof Date && date.getUTCFullYear() >= 0 && date.getUTCFullYear() <= 9999;
  // The 31st of April would be the 1st of May.
  if (fits && (value === date || date.toISOString().slice(0, 10) === value))
    return date.toISOString().slice(0, 10);
  throw new LensorError(`${call}: ${name} is no day`, {
    expected: 'a Date, or a text such as "2026-10-04"',
    got: describe(value),
  });
}

/** As the widget has it: months count from 0. */
function stateOf(day: string): object {
  const [year, month, date] = day.split("-").map(Number);
  return { year, month: month! - 1, date };
}

function dateOf(state: unknown): Date | undefined {
  if (state === null) return undefined;
  const { year, month, date } = state as { year: number; month: number; date: number };
  const day = new Date(0);
  day.setUTCFullYear(year, month, date);
  return day;
}
