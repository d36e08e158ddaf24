// When which cell runs. A person's cells come with the stale cells they rest on; when nothing is left of those, the cells
// that depend on what has run or moved follow one at a time, by the mode and by what they cost.
// Relies on the dataflow for what is stale. Pure: says what to run, never runs it.

import type { Mode } from "../labextension/src/messages.ts";
import type { Dataflow } from "./dataflow.ts";
import type { Node } from "./graph.ts";
import { dependents, inOrder, planFor, predicted, secondsOf } from "./plan.ts";
import { holdsBack, type Outcome } from "./status.ts";

/** Dependents that take longer than this together do not follow by themselves. */
export const BUDGET_SECONDS = 5;
/** What follows and takes no longer than this is finished before inputs that have moved again make it follow anew. */
const SHORT_SECONDS = 0.5;
/** How often a cell may follow before a person does something: cells that move each other's inputs must come to rest. */
const MOST_TURNS = 4;

interface Move {
  readonly cell: string;
  readonly names: readonly string[];
}

export class Scheduler {
  readonly flow: Dataflow;
  mode: Mode = "auto";
  /** Asked for and not executed yet, in order, each as often as it was asked for. */
  #asked: string[] = [];
  /** Executed since dependents were last looked for. */
  #done = new Set<string>();
  #runs: { readonly cell: string; readonly follows: boolean } | undefined;
  /** What follows, in order, as long as nothing has changed. */
  #known: { readonly version: number; readonly nodes: readonly Node[] } | undefined;
  /** What follows, in no order. */
  readonly #following = new Set<string>();
  readonly #turns = new Map<string, number>();
  /** Moves that wait for what follows already. */
  readonly #moves = new Map<string, Move>();

  constructor(flow: Dataflow) {
    this.flow = flow;
  }

  /** Cells that a person wants run now. Returns them with those that must run before, in order. */
  ask(cells: readonly string[]): string[] {
    this.#turns.clear();
    // What runs now reads the inputs as they are.
    this.#takeMoves();
    const nodes = this.#nodes(cells);
    const planned = this.mode === "off" ? inOrder(nodes) : this.#withWhatTheyNeed(nodes);
    const ids = planned.map(({ id }) => id);
    this.#asked.push(...ids);
    return ids;
  }

  /** The cells that are marked: run before in this session, and not what a run from the top would show. */
  stale(): string[] {
    const { graph, status } = this.flow;
    const marked = graph.nodes.filter(({ index }) => {
      const reason = status.reasons[index];
      return reason && reason.kind !== "new";
    });
    return marked.filter(({ facts }) => !facts.frozen).map(({ id }) => id);
  }

  /**
   * An input in a cell has been moved. Its dependents follow whatever they cost, in any mode but `off`. While some follow
   * already and are soon done the move waits for them: who pulls a slider without a pause sees all of them change.
   */
  moved(cell: string, names: readonly string[], byPerson: boolean): void {
    if (byPerson) this.#turns.clear();
    const left = this.#followers();
    if (left.length && secondsOf(left, this.flow.view().seconds) < SHORT_SECONDS)
      this.#moves.set(`${cell}\n${names.join()}`, { cell, names });
    else this.#move({ cell, names });
  }

  #move({ cell, names }: Move): void {
    const node = this.flow.move(cell, names);
    if (!node || this.mode === "off") return;
    for (const { id } of dependents(new Set([node]), this.flow.view())) this.#follow(id);
  }

  #takeMoves(): void {
    const moves = [...this.#moves.values()];
    this.#moves.clear();
    for (const move of moves) this.#move(move);
  }

  /** The execution of a cell begins, asked for or not. */
  started(cell: string): void {
    const at = this.#asked.indexOf(cell);
    if (at >= 0) this.#asked.splice(at, 1);
    this.#runs = { cell, follows: this.#following.delete(cell) };
    this.#known = undefined;
  }

  /** It has ended. An input that was moved meanwhile has made it follow again. */
  executed(cell: string, outcome: Outcome): void {
    // What depends on a follower follows already.
    if (!this.#runs?.follows) this.#done.add(cell);
    this.#runs = undefined;
    this.#known = undefined;
    // Whoever stops a cell wants rest, not the next one.
    if (outcome === "interrupted") this.rest();
  }

  /** Whether a cell is going to run by itself: where it is the running one, because what it reads has changed since. */
  follows(cell: string): boolean {
    return this.#following.has(cell);
  }

  /** Nothing follows. */
  rest(): void {
    this.#takeMoves();
    this.#following.clear();
    this.#known = undefined;
    this.#done.clear();
  }

  /** Asked cells that will not come: the front end is gone, or they were aborted. */
  dropAsked(cells?: readonly string[]): void {
    if (cells) this.#asked = this.#asked.filter((cell) => !cells.includes(cell));
    else this.#asked = [];
  }

  dropFollowing(cell: string): void {
    this.#following.delete(cell);
    this.#known = undefined;
  }

  /** The cell to execute next by itself; undefined while others run or are to come, and when nothing follows. */
  next(): string | undefined {
    if (this.#asked.length || this.#running !== undefined) return undefined;
    this.#lookForDependents();
    if (this.#followers().length === 0) this.#takeMoves();
    const [first] = this.#followers();
    if (!first) return undefined;
    const turns = (this.#turns.get(first.id) ?? 0) + 1;
    this.#turns.set(first.id, turns);
    if (turns <= MOST_TURNS) return first.id;
    this.#following.clear();
    this.#known = undefined;
    return undefined;
  }

  /** What is going to run, the running cell first. */
  plan(): string[] {
    const running = this.#running === undefined ? [] : [this.#running];
    const asked = new Set(this.#asked);
    const followers = this.#followers().map(({ id }) => id);
    return [...running, ...this.#asked, ...followers.filter((id) => !asked.has(id))];
  }

  get asked(): readonly string[] {
    return this.#asked;
  }

  #withWhatTheyNeed(asked: Set<Node>): Node[] {
    const view = this.flow.view(new Set(this.#running ? [...this.#asked, this.#running] : this.#asked));
    const needed = planFor(asked, view, BUDGET_SECONDS);
    if (this.mode !== "auto") return needed;
    // A dependent above the last asked cell runs in its place, or a value made anew would have to be made again for it.
    const followers = predicted(new Set(needed), view);
    if (secondsOf(followers, view.seconds) > BUDGET_SECONDS) return needed;
    const whole = planFor(new Set([...needed, ...followers]), view, BUDGET_SECONDS);
    const last = Math.max(...[...asked].map(({ index }) => index));
    return whole.filter(({ index }) => index <= last);
  }

  #lookForDependents(): void {
    if (this.#done.size === 0) return;
    const view = this.flow.view();
    const found = this.mode === "off" ? [] : dependents(this.#nodes(this.#done), view);
    this.#done.clear();
    const cheap = this.mode === "auto" && secondsOf(found, view.seconds) <= BUDGET_SECONDS;
    for (const { id, facts } of found) if (cheap || facts.auto) this.#follow(id);
  }

  #followers(): readonly Node[] {
    const { version } = this.flow;
    if (this.#known?.version !== version) this.#known = { version, nodes: this.#findFollowers() };
    return this.#known.nodes;
  }

  #findFollowers(): Node[] {
    if (this.#following.size === 0) return [];
    const { reasons } = this.flow.status;
    const nodes = this.#nodes(this.#following);
    // What has become fresh need not follow, what was edited is its writer's to run, and what waits for a cell that does not
    // follow, one that failed or was edited, cannot.
    for (const node of inOrder(nodes)) {
      const held = [...node.parents].some(
        ([parent, names]) =>
          holdsBack(reasons[parent.index], names) && !nodes.has(parent) && parent.id !== this.#running,
      );
      const edited = this.flow.record(node.id)?.source !== node.source;
      if (reasons[node.index] && !held && !edited) continue;
      nodes.delete(node);
      this.#following.delete(node.id);
    }
    return planFor(nodes, this.flow.view(), BUDGET_SECONDS);
  }

  get #running(): string | undefined {
    return this.#runs?.cell;
  }

  #follow(cell: string): void {
    this.#following.add(cell);
    this.#known = undefined;
  }

  #nodes(cells: Iterable<string>): Set<Node> {
    const { byId } = this.flow.graph;
    const nodes = new Set<Node>();
    for (const cell of cells) {
      const node = byId.get(cell);
      if (node) nodes.add(node);
    }
    return nodes;
  }
}
