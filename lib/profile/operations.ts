// From what the executor recorded to operations: tasks with their kernels, and one row for all uses of each. Pure.

import { MEMORY_KINDS } from "../native.ts";

/** What an operation multiplies, which says what the machine can do at most. */
export type ComputeType = "f32" | "bf16" | "i8";
const COMPUTE: Record<number, ComputeType> = { 0: "f32", 2: "bf16", 3: "i8" };
const FIELDS = 11;

/** Times are in seconds since the profile began. */
export interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
  readonly flops: number;
  readonly bytes: number;
  readonly compute: ComputeType;
  readonly shape: string;
}

export interface TaskSpan extends Span {
  readonly kernels: readonly Span[];
  /** Outermost first. */
  readonly phases: readonly string[];
  readonly run: number;
}

/** All uses of one operation; of one that is made of several kernels, all uses of one of those. */
export interface Operation {
  /** Of the engine's operation. */
  readonly name: string;
  /** How often it ran. */
  readonly calls: number;
  /** That it took together. */
  readonly seconds: number;
  /** Of the time of all operations. */
  readonly share: number;
  /** Additions and multiplications. */
  readonly flops: number;
  /** That it had to read and write. */
  readonly bytes: number;
  readonly compute: ComputeType;
  /** The most frequent ones. */
  readonly shapes: string;
}

/** @param phaseOf The path of names behind a phase's number */
export function tasksOf(
  recorded: { names: readonly string[]; events: Float64Array },
  begin: number,
  phaseOf: (phase: number) => readonly string[],
): TaskSpan[] {
  const { names, events } = recorded;
  const tasks: TaskSpan[] = [];
  let kernels: Span[] = [];
  for (let at = 0; at < events.length; at += FIELDS) {
    const [kernel, name, shape, from, to, flops, bytes, compute, phase, run, kind] = events.subarray(
      at,
      at + FIELDS,
    ) as unknown as number[];
    const span: Span = {
      name: names[name!]!,
      begin: from! - begin,
      end: to! - begin,
      flops: flops!,
      bytes: bytes!,
      compute: COMPUTE[compute!] ?? "f32",
      shape: names[shape!]!,
    };
    if (kernel) {
      kernels.push(span);
      continue;
    }
    const sum = (pick: (one: Span) => number) => kernels.reduce((total, one) => total + pick(one), 0);
    const heaviest = kernels.reduce((a, b) => (b.flops > a.flops ? b : a), kernels[0] ?? span);
    tasks.push({
      ...span,
      flops: sum((one) => one.flops),
      bytes: sum((one) => one.bytes),
      compute: heaviest.compute,
      kernels,
      phases: [...phaseOf(phase!), ...(MEMORY_KINDS[kind!] === "gradient" ? ["backward"] : [])],
      run: run!,
    });
    kernels = [];
  }
  return tasks;
}

/** Longest first. */
export function operationsOf(tasks: readonly TaskSpan[]): Operation[] {
  const groups = new Map<string, TaskSpan[]>();
  for (const task of tasks) groups.set(task.name, [...(groups.get(task.name) ?? []), task]);
  const rows = new Map<string, Gathered>();
  for (const [name, group] of groups) {
    const parts = new Set(group.flatMap(({ kernels }) => kernels.map((one) => one.name)));
    for (const task of group) {
      if (parts.size <= 1) {
        gather(rows, name, task, task.end - task.begin);
        continue;
      }
      let rest = task.end - task.begin;
      for (const kernel of task.kernels) {
        gather(rows, `${name}: ${kernel.name}`, kernel, kernel.end - kernel.begin);
        rest -= kernel.end - kernel.begin;
      }
      gather(rows, `${name}: rest`, { ...task, flops: 0, bytes: 0 }, rest);
    }
  }
  const total = [...rows.values()].reduce((sum, row) => sum + row.seconds, 0) || 1;
  return [...rows.values()]
    .map(({ shapes, ...row }) => ({ ...row, share: row.seconds / total, shapes: most(shapes) }))
    .sort((a, b) => b.seconds - a.seconds);
}

interface Gathered {
  name: string;
  calls: number;
  seconds: number;
  flops: number;
  bytes: number;
  compute: ComputeType;
  shapes: Map<string, number>;
}

function gather(rows: Map<string, Gathered>, name: string, span: Span, seconds: number): void {
  let row = rows.get(name);
  if (!row) {
    row = { name, calls: 0, seconds: 0, flops: 0, bytes: 0, compute: span.compute, shapes: new Map() };
    rows.set(name, row);
  }
  row.calls++;
  row.seconds += seconds;
  row.flops += span.flops;
  row.bytes += span.bytes;
  if (span.shape) row.shapes.set(span.shape, (row.shapes.get(span.shape) ?? 0) + 1);
}

function most(shapes: Map<string, number>): string {
  const sorted = [...shapes].sort((a, b) => b[1] - a[1]).map(([shape]) => shape);
  return sorted.slice(0, 3).join("; ") + (sorted.length > 3 ? `; ${sorted.length - 3} more` : "");
}
