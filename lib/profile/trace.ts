// A profile in the format that Chrome's tracing and Perfetto read (Trace Event Format, complete events). Pure.

import { cellName } from "../host.ts";
import type { Span, TaskSpan } from "./operations.ts";
import type { PhaseSpan } from "./profile.ts";

const JAVASCRIPT = 1;
const ENGINE = 2;

export function traceEvents(
  tasks: readonly TaskSpan[],
  phases: readonly PhaseSpan[],
  seconds: number,
): object {
  const thread = (tid: number, name: string) => ({
    name: "thread_name",
    ph: "M",
    pid: 1,
    tid,
    args: { name },
  });
  const complete = (span: Span, cat: string, args: object) => ({
    name: span.name,
    cat,
    ph: "X",
    pid: 1,
    tid: ENGINE,
    ts: span.begin * 1e6,
    dur: (span.end - span.begin) * 1e6,
    args: { shape: span.shape, flops: span.flops, bytes: span.bytes, compute: span.compute, ...args },
  });
  const outer = (name: string, begin: number, end: number) => ({
    name,
    cat: "phase",
    ph: "X",
    pid: 1,
    tid: JAVASCRIPT,
    ts: begin * 1e6,
    dur: (end - begin) * 1e6,
  });
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      { name: "process_name", ph: "M", pid: 1, args: { name: "lensor" } },
      thread(JAVASCRIPT, "JavaScript: phases"),
      thread(ENGINE, "engine: operations"),
      outer("callback", 0, seconds),
      ...phases.map(({ path, begin, end }) => outer(path.at(-1)!, begin, end)),
      ...tasks.flatMap((task) => [
        complete(task, "operation", { cell: cellName(task.run), phase: task.phases.join(" / ") }),
        ...task.kernels.map((kernel) => complete(kernel, "kernel", {})),
      ]),
    ],
  };
}
