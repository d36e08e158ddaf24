// What kernel and JupyterLab's extension say to each other over the comm `lensor.notebook`, as plain JSON records.
// Types alone: both sides import them. The kernel checks everything that comes, the extension ignores what it does not know.
//
// The extension tells the cells; the kernel knows what depends on what, and asks for cells to be run. The extension runs
// every cell as an ordinary execution, so prompts, timing and saved outputs are Jupyter's own.

export const TARGET = "lensor.notebook";

/**
 * What happens after a cell has run. `auto`: stale cells above it first, cheap cells below it after. `lazy`: cells above
 * first, those below are marked. `off`: neither, and nothing is marked.
 */
export type Mode = "auto" | "lazy" | "off";

/** What mistakes of types do: show under their cell, keep it from running, or nothing, without a server at all. */
export type TypesMode = "show" | "block" | "off";

/** The data of comm_open. */
export interface Opening extends Document {
  readonly mode: Mode;
  /** The person's own setting; absent where the kernel's default holds. */
  readonly types?: TypesMode;
}

/** The code cells in document order. */
export interface Document {
  readonly order: readonly string[];
  /** The texts that the kernel does not have yet: all at first, then those that changed. */
  readonly sources: Readonly<Record<string, string>>;
}

export type ToKernel =
  /** Cells were edited, added, moved or deleted. Comes before any request that rests on it. */
  | ({ readonly type: "document" } & Document)
  | { readonly type: "mode"; readonly mode: Mode }
  /** The person's setting has changed; without one the kernel's default holds. */
  | { readonly type: "types"; readonly types?: TypesMode }
  /** A person asks for cells: named ones, or with `stale` those that are marked. Answered by a `plan` of the same number. */
  | {
      readonly type: "run";
      readonly request: number;
      readonly cells: readonly string[];
      readonly stale?: boolean;
    }
  /** The answer to an `execute` that cannot be followed: its cell is gone, or running was refused. */
  | { readonly type: "declined"; readonly cell: string }
  /** Which panels are open: nothing is sent for those that are not. */
  | { readonly type: "watch"; readonly graph: boolean; readonly variables: boolean };

export type ToFrontend =
  /** The cells to execute now, in this order: what was asked for, with the stale cells it needs before it. */
  | { readonly type: "plan"; readonly request: number; readonly cells: readonly string[] }
  /** Execute this one cell now: it depends on what has changed. The next comes when this one has been executed. */
  | { readonly type: "execute"; readonly cell: string }
  /** Marks that changed, all of them after the opening. `plan` is absent when it has not changed, null when nothing is planned. */
  | {
      readonly type: "marks";
      readonly marks: Readonly<Record<string, Mark>>;
      readonly plan?: Planned | null;
    }
  | { readonly type: "graph"; readonly cells: readonly GraphCell[]; readonly edges: readonly Edge[] }
  /** Names that were just offered as completions and that nobody has imported: the statement that each needs. */
  | { readonly type: "imports"; readonly imports: Readonly<Record<string, string>> }
  | { readonly type: "variables"; readonly variables: readonly Variable[] }
  /** The process that held the variables has ended; running these cells, in order, brings them back. */
  | { readonly type: "lost"; readonly message: string; readonly cells: readonly string[] };

/**
 * - `new`: has not been run in this session
 * - `fresh`: shows what a run from the top would show
 * - `stale`: has been run, and would show something else now
 * - `queued`, `running`: part of what is being executed
 * - `error`: failed, or cannot run where it stands
 */
export type State = "new" | "fresh" | "stale" | "queued" | "running" | "error";

export interface Mark {
  readonly state: State;
  /** `// @frozen` stands in the cell: it runs only when a person runs it. */
  readonly frozen: boolean;
  /** A sentence for the tooltip: "`model` changed in [3]". Empty where there is nothing to say. */
  readonly why: string;
  /** What running it took last time. */
  readonly seconds?: number;
}

/** What is going to run, the running cell first. */
export interface Planned {
  readonly cells: readonly string[];
  /** How long what is left is going to take, from last runs; absent where a cell has never been timed. */
  readonly seconds?: number;
}

export interface GraphCell {
  readonly id: string;
  /** Its first line that says something, cut short. */
  readonly title: string;
  /** The count of its last execution in this session. */
  readonly count?: number;
  readonly defines: readonly string[];
}

/** `to` uses what `from` defines (or what it writes into another cell's value). */
export interface Edge {
  readonly from: string;
  readonly to: string;
  readonly names: readonly string[];
}

export interface Variable {
  readonly name: string;
  /** The cell that defines it. */
  readonly cell: string;
  readonly type: string;
  /** One line of what it holds. */
  readonly text: string;
  readonly shape?: readonly number[];
  readonly bytes?: number;
  readonly device?: string;
}
