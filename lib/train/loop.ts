// The training loop: batches in, losses down. Knows nothing of what a loss means (an objective says) or where batches come
// from. One step: gather gradients, look at loss and norm, then change the parameters. A step is taken whole or not at all,
// so that whatever ends a run leaves the numbers of its last step.

import { currentHost } from "../host.ts";
import { scope } from "../tensor/scope.ts";
import { partsWithin } from "./budget.ts";
import { IN_A_ROW, outOfLine, whereItBegins } from "./guard.ts";
import type { Journal, Row } from "./journal.ts";
import { Keeper, type KeeperOptions } from "./keeper.ts";
import type { Optimizer } from "./optim/index.ts";
import type { Steering } from "./run.ts";
import type { Schedule } from "./schedule.ts";
import type { Subject } from "./snapshot.ts";
import { draw, gather, meanLoss, numberOf, read } from "./step.ts";

export interface Loop<Batch> extends Subject<Batch>, KeeperOptions {
  /** Scored now and then, never learnt from. */
  readonly heldOut: readonly Batch[] | (() => Promise<readonly Batch[]>);
  readonly schedule: Schedule;
  readonly journal: Journal;
  readonly steps: number;
  /** Batches whose gradients make one step. */
  readonly accumulate: number;
  /** In bytes: batches are cut into parts so that a step takes no more. */
  readonly memory: number | undefined;
  /** In steps, how often held-out batches are scored. */
  readonly evalEvery: number;
}

/** Times that a run goes back to one snapshot before it gives up. */
const MOST_BACK = 3;
/** How long native work may take to come to its end once the person interrupts. */
const PATIENCE_MS = 5000;

export async function loop<Batch>(of: Loop<Batch>, steering: Steering): Promise<void> {
  const { learner, objective, batches, optimizer, journal, heldOut, steps } = of;
  const keeper = new Keeper(of, journal, of);
  try {
    await objective.prepare?.(learner);
    const held = typeof heldOut === "function" ? await heldOut() : heldOut;
    if (await keeper.resume()) {
      // Streamed data says that it is not the run's own when it is asked for a batch; a run that is over asks for none.
      if (learner.step >= steps) await draw(batches, 1);
    } else {
      const { memory } = of;
      if (memory !== undefined)
        journal.parts = await partsWithin(journal.facts.call, memory, learner, objective, batches);
      journal.startLoss = await meanLoss(learner, objective, held);
      journal.startReward = (await objective.score?.(learner)) ?? null;
      await keeper.begin();
    }
    let spoilt = 0;
    while (learner.step < steps && !keeper.isOver && (await steering.proceed())) {
      const began = performance.now();
      const taken = await step(of, held, began);
      if (taken === "over") break;
      spoilt = taken === "spoilt" ? spoilt + 1 : 0;
      const wild = objective.noisy ? 0 : outOfLine(journal.rows);
      if (spoilt === IN_A_ROW || wild === IN_A_ROW) {
        const isThere = await goBack(of, keeper, learner.step + 1 - (spoilt > 0 ? 0 : wild));
        if (!isThere) steering.stop();
        spoilt = 0;
      } else if (spoilt === 0) await keeper.step();
      journal.seconds += (performance.now() - began) / 1000;
      await steering.report();
    }
    if (keeper.isOver && learner.step < steps) {
      journal.mark(learner.step, "stopped", "what is held out got no better");
      steering.stop();
    }
    await keeper.end();
  } catch (error) {
    await ended(of, keeper, steering, error);
  } finally {
    optimizer.zeroGrad();
    await batches.return?.();
  }
}

/** Takes one step; or leaves all as it is where a number is not finite, and says so in the journal. */
async function step<Batch>(
  of: Loop<Batch>,
  held: readonly Batch[],
  began: number,
): Promise<"taken" | "spoilt" | "over"> {
  const { learner, objective, optimizer, journal, steps, evalEvery } = of;
  learner.tokens = 0;
  const whole = await draw(of.batches, of.accumulate);
  const drawn = journal.parts === 1 ? whole : whole.flatMap((one) => objective.split!(one, journal.parts));
  if (drawn.length === 0) return "over";
  const gathered = gather(learner, objective, drawn);
  optimizer.lr = of.schedule.at(learner.step, steps);
  learner.zeros?.clearGradients();
  const norm = optimizer.measure();
  const { tokens } = learner;
  const [loss, gradNorm, notes] = await Promise.all([
    numberOf(gathered.loss),
    numberOf(norm),
    read(gathered.notes),
  ]);
  for (const one of [gathered.loss, norm]) one.dispose();
  if (!Number.isFinite(loss) || !Number.isFinite(gradNorm)) {
    const where = await whereItBegins(learner, objective, drawn, optimizer.parameters);
    optimizer.zeroGrad();
    const what = Number.isFinite(loss) ? "a gradient" : "the loss";
    journal.mark(
      learner.step + 1,
      "skipped",
      `${what} is not finite: it begins in ${where}; the batch was left out`,
    );
    return "spoilt";
  }
  optimizer.step();
  learner.zeros?.clearValues();
  optimizer.zeroGrad();
  await wholeStep(optimizer);
  learner.step++;
  const tokensPerSecond = tokens / ((performance.now() - began) / 1000);
  const due = learner.step % evalEvery === 0 || learner.step === steps;
  const evalLoss = due ? await meanLoss(learner, objective, held) : null;
  const evalReward = due ? await objective.score?.(learner) : undefined;
  const row: Row = {
    step: learner.step,
    loss,
    evalLoss,
    lr: optimizer.lr,
    gradNorm,
    tokensPerSecond,
    ...notes,
    ...(evalReward !== undefined && { evalReward }),
  };
  journal.rows.push(row);
  return "taken";
}

/** The person interrupted while parameters were being changed: some may be of the step, some of the one before. */
class TornStep extends Error {}

/** Waits until a step is there: what an interrupt may leave out is known by a read that fails. */
async function wholeStep({ parameters }: Optimizer): Promise<void> {
  const last = parameters.at(-1)!;
  const one = scope(() => last.detach().flatten().at([0, 1]));
  try {
    await one.item();
  } catch (cause) {
    throw new TornStep("a step was torn", { cause });
  } finally {
    one.dispose();
  }
}

/** The run goes wrong since a step: back to the last snapshot, on with other data. Says whether there is a way. */
async function goBack<Batch>(
  { journal, learner }: Loop<Batch>,
  keeper: Keeper<Batch>,
  since: number,
): Promise<boolean> {
  const undone = journal.rows.filter((row) => row.step! >= since);
  if (undone.length > 0) {
    const [from, to] = [undone[0]!.loss!, undone.at(-1)!.loss!].map((loss) => loss.toPrecision(3));
    journal.mark(since, "spike", `the loss leaves what was to be expected: ${from}, then ${to}`);
  }
  const to = await keeper.back();
  if (to === undefined) {
    journal.mark(learner.step, "stopped", "there is no snapshot to go back to: give the run a folder");
    return false;
  }
  journal.mark(since, "rollback", `back to step ${to}, on with other batches`);
  const times = journal.marks.filter(
    ({ kind, text }) => kind === "rollback" && text.startsWith(`back to step ${to},`),
  );
  if (times.length < MOST_BACK) return true;
  journal.mark(to, "stopped", `went back to step ${to} ${times.length} times: try a lower rate or clipping`);
  return false;
}

/** What ended a run from outside: steps that were taken are the result, unless it is an error of the work's own. */
async function ended<Batch>(
  { journal, learner }: Loop<Batch>,
  keeper: Keeper<Batch>,
  steering: Steering,
  error: unknown,
): Promise<void> {
  const flag = currentHost()?.interruptFlag;
  if (flag?.[0] || steering.signal.aborted) {
    steering.stop();
    const until = performance.now() + PATIENCE_MS;
    while (flag?.[0] && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 5));
    if (error instanceof TornStep) await keeper.back();
    await keeper.end();
    return;
  }
  if (error instanceof TornStep) throw error.cause;
  const { problem } = keeper;
  if (!problem || error !== problem) throw error;
  // What was learnt is worth more than the file.
  journal.mark(learner.step, "stopped", `no checkpoint could be written: ${problem.message}`);
  steering.stop();
}
