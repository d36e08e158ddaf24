// Branch-Solve-Merge (Saha et al. 2023, arXiv 2310.15123): a program over any model that chats. It asks for a plan of parallel
// sub-tasks, has each solved by itself, and puts the solutions together; for a text, or for a verdict between two answers, each
// criterion in both orders, since who is read first is favoured. All wording is here; a model never sees another's branch.

import { LensorError } from "../errors.ts";
import { checkNames, checkNumber, describe } from "../options.ts";
import { quietly, showProgress } from "../progress.ts";
import { provenance } from "../provenance.ts";
import type { Message } from "../text/chat.ts";
import { type Branch, BranchedText, type Judged, Verdict } from "./branched.ts";
import type { GenerateOptions } from "./generate.ts";

/** What can be asked: a Model, or whatever answers as one. */
export interface Chats {
  readonly name: string;
  chat(
    messages: Message[],
    options?: GenerateOptions,
  ): Promise<{ readonly text: string; readonly tokens: readonly number[] }>;
}

export interface BranchSolveMergeOptions {
  /** Sub-tasks or criteria at most; 3 by default. */
  branches?: number;
  /** Of each answer; 256 by default. */
  maxTokens?: number;
  /** 0, greedy, by default. */
  temperature?: number;
  /** Of the draws, where there are any: 0. */
  seed?: number;
}

/** An instruction and two answers to it. */
export interface Dispute {
  readonly prompt: string;
  readonly a: string;
  readonly b: string;
}

/** The program: for a text, or for a verdict between two answers. */
export interface BranchSolveMerge {
  /** Writes what a task asks for: branches it, solves each part, merges the parts. */
  generate(model: Chats, task: string): Promise<BranchedText>;
  /** Which answer is better: finds criteria, scores both answers from 1 to 5 by each in both orders, and adds up. */
  evaluate(model: Chats, dispute: Dispute): Promise<Verdict>;
}

const CALL = "branchSolveMerge";

/**
 * Branch-Solve-Merge (Saha et al. 2023, arXiv 2310.15123), a program over any model that chats: it asks for a plan of
 * parallel sub-tasks, has each solved by itself, and puts the solutions together; for a text, or for a verdict between two
 * answers, each criterion in both orders, since who is read first is favoured.
 */
export function branchSolveMerge(options: BranchSolveMergeOptions = {}): BranchSolveMerge {
  checkNames(CALL, options, ["branches", "maxTokens", "temperature", "seed"]);
  const { branches = 3, maxTokens = 256, temperature = 0, seed = 0 } = options;
  checkNumber(CALL, "branches", branches, { least: 1, most: 16, whole: true });
  checkNumber(CALL, "maxTokens", maxTokens, { least: 1, whole: true });
  checkNumber(CALL, "temperature", temperature, { least: 0 });
  checkNumber(CALL, "seed", seed, { least: 0, whole: true });
  const said = { branches, maxTokens, temperature };
  const begin = (model: Chats, steps: number, label: string) => {
    let [tokens, done] = [0, 0];
    const progress = showProgress(`${label}: ${model.name}`, steps, {
      amount: (done, total) => `${done} of about ${total} answers`,
      afterMs: 1500,
    });
    const ask = async (content: string): Promise<string> => {
      const asked = () =>
        model.chat([{ role: "user", content }], { maxTokens, temperature, seed: seed + done });
      const reply = await quietly(asked);
      tokens += reply.tokens.length;
      progress.update(++done);
      return reply.text.trim();
    };
    return { ask, tokens: () => tokens, end: () => progress.end(`${label}: ${done} answers`) };
  };
  return {
    async generate(model, task) {
      const asked = textOf("task", task);
      const run = begin(model, branches + 2, "Branch-Solve-Merge");
      try {
        const plan = listed(await run.ask(PROMPTS.plan(asked, branches)), branches);
        // A model that makes no list is asked the task itself, as one branch.
        const parts: Branch[] = [];
        for (const part of plan.length > 0 ? plan : [asked])
          parts.push({ task: part, text: await run.ask(PROMPTS.solve(asked, part)) });
        const text = parts.length === 1 ? parts[0]!.text : await run.ask(PROMPTS.merge(asked, parts));
        const made = provenance(model.name, { program: "generate", ...said, task: asked }, seed);
        return new BranchedText({
          text,
          branches: parts,
          planned: plan.length > 0,
          tokens: run.tokens(),
          provenance: made,
        });
      } finally {
        run.end();
      }
    },
    async evaluate(model, dispute) {
      checkNames(`${CALL}.evaluate`, dispute, ["prompt", "a", "b"]);
      const [prompt, a, b] = (["prompt", "a", "b"] as const).map((name) => textOf(name, dispute[name]));
      const run = begin(model, 1 + 2 * branches, "Branch-Solve-Merge");
      try {
        const plan = listed(await run.ask(PROMPTS.criteria(prompt!, branches)), branches);
        const judged: Judged[] = [];
        for (const criterion of plan.length > 0 ? plan : ["overall quality"])
          for (const swapped of [false, true]) {
            const [first, second] = swapped ? [b!, a!] : [a!, b!];
            const text = await run.ask(PROMPTS.score(prompt!, criterion, first, second));
            const [one, two] = scoresOf(text) ?? [undefined, undefined];
            judged.push({ criterion, swapped, text, a: swapped ? two : one, b: swapped ? one : two });
          }
        const made = provenance(model.name, { program: "evaluate", ...said, prompt }, seed);
        return new Verdict({ judged, planned: plan.length > 0, tokens: run.tokens(), provenance: made });
      } finally {
        run.end();
      }
    },
  };
}

const PROMPTS = {
  plan: (task: string, most: number) =>
    `${task}\n\nDo not do this yet. Split it into at most ${most} parts that can be worked on separately. Answer with a numbered list, one short part a line, and nothing else.`,
  solve: (task: string, part: string) =>
    `The whole task, for you to know where it leads:\n${task}\n\nDo only this part of it: ${part}\nAnswer with the result alone.`,
  merge: (task: string, parts: readonly Branch[]) =>
    `${task}\n\nThe parts were worked on separately:\n\n${parts
      .map(({ task, text }, i) => `Part ${i + 1} (${task}):\n${text}`)
      .join("\n\n")}\n\nPut them together into one answer to the task. Answer with it alone.`,
  criteria: (prompt: string, most: number) =>
    `Somebody was asked:\n${prompt}\n\nBy what should an answer be judged? Name at most ${most} criteria that matter for this very question. Answer with a numbered list, one short criterion a line, and nothing else.`,
  score: (prompt: string, criterion: string, first: string, second: string) =>
    `Question:\n${prompt}\n\nAnswer 1:\n${first}\n\nAnswer 2:\n${second}\n\nJudge both answers by this alone: ${criterion}. Give each a whole number from 1 (bad) to 5 (excellent). End with two lines:\nAnswer 1: <number>\nAnswer 2: <number>`,
};

/** The items of a list: lines that begin with a number or a dash, without it. */
function listed(text: string, most: number): string[] {
  const items = text
    .split("\n")
    .flatMap((line) => /^\s*(?:\d{1,2}[.):]|[-*•])\s+(.*\S)/.exec(line)?.[1] ?? [])
    .map((item) => item.replace(/^\*\*(.*?)\*\*/, "$1").slice(0, 500));
  return [...new Set(items)].slice(0, most);
}

/** The last scores that are named, each from 1 to 5. */
function scoresOf(text: string): [number, number] | undefined {
  const last = (which: number) => {
    const found = [...text.matchAll(new RegExp(`answer\\s*${which}\\D{0,12}?([1-5])(?![\\d])`, "gi"))].at(-1);
    return found && Number(found[1]);
  };
  const [first, second] = [last(1), last(2)];
  return first === undefined || second === undefined ? undefined : [first, second];
}

function textOf(name: string, given: unknown): string {
  if (typeof given === "string" && given.trim() !== "") return given;
  throw new LensorError(`${CALL}: ${name} is wrong`, { expected: "a text", got: describe(given) });
}
