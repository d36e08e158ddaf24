// Renders a conversation with the model's own Jinja template. A template comes with a model file, so from a stranger:
// its size, its output, its steps and its time are bounded, and it sees nothing but the messages and two token texts.

import { type Context, createContext, Script } from "node:vm";
import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja";
import { LensorError } from "../errors.ts";

/** One turn of a conversation. */
export interface Message {
  /** `system`, `user`, `assistant`, or what else the model's template knows. */
  role: string;
  /** What is said. */
  content: string;
}

export interface ChatOptions {
  /** End with the opening of the assistant's turn, for the model to continue. */
  addGenerationPrompt?: boolean;
  /** Text of the start token, as templates may write it themselves. */
  bos?: string;
  eos?: string;
}

/** Templates in the wild are under 20 kB, take a few thousand steps and about a millisecond. */
export const CHAT_LIMITS = {
  template: 256 << 10,
  output: 16 << 20,
  steps: 1_000_000,
  elements: 100_000,
  characters: 1 << 27,
  milliseconds: 2_000,
} as const;

/**
 * The text of a conversation, as transformers' `apply_chat_template(messages, tokenize=False)` gives it.
 * @param template Jinja source, the GGUF's `tokenizer.chat_template`
 */
export function renderChat(
  template: string | undefined,
  messages: Message[],
  options: ChatOptions = {},
): string {
  if (template === undefined)
    throw new LensorError("This model has no chat template", {
      expected: "a template in its file (tokenizer.chat_template)",
      fix: "Use generate, which takes the prompt as it is, or load a model tuned for conversation.",
    });
  if (template.length > CHAT_LIMITS.template)
    throw new LensorError("The model's chat template is too large", {
      expected: `at most ${CHAT_LIMITS.template} characters`,
      got: String(template.length),
    });
  checkMessages(messages);
  const run = () => render(template, messages, options);
  let text: string;
  try {
    text = limited(run);
  } catch (cause) {
    if (cause instanceof LensorError) throw cause;
    if ((cause as { code?: string }).code === "ERR_SCRIPT_EXECUTION_TIMEOUT")
      throw tooMuch("milliseconds", CHAT_LIMITS.milliseconds);
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new LensorError(`The model's chat template failed: ${reason.slice(0, 500)}`, {
      fix: "Check the messages against what the template allows, or render the prompt yourself and use generate.",
      cause,
    });
  }
  return text;
}

const call = new Script("run()");
let context: Context | undefined;

/** vm's time limit ends whatever runs inside the call, this function included. Nothing of the context is seen by a template. */
function limited(run: () => string): string {
  context ??= createContext({ run });
  context.run = run;
  return call.runInContext(context, { timeout: CHAT_LIMITS.milliseconds }) as string;
}

function checkMessages(messages: Message[]): void {
  const shape = `[{ role: "user", content: "Hi" }]`;
  if (!Array.isArray(messages) || messages.length === 0)
    throw new LensorError("A chat takes a list of messages", {
      expected: `at least one message, such as ${shape}`,
      got: Array.isArray(messages) ? "an empty list" : messages === null ? "null" : typeof messages,
    });
  messages.forEach((message: Message | null | undefined, i) => {
    for (const key of ["role", "content"] as const) {
      const value = message?.[key];
      if (typeof value !== "string" || (key === "role" && value === ""))
        throw new LensorError(`Message ${i} has no ${key}`, {
          expected: `${key} to be text, as in ${shape}`,
          got:
            value === undefined
              ? "nothing"
              : value === null
                ? "null"
                : value === ""
                  ? "empty text"
                  : typeof value,
        });
    }
  });
}

function render(
  template: string,
  messages: Message[],
  { addGenerationPrompt = false, bos, eos }: ChatOptions,
): string {
  const environment = new Environment();
  const globals: Record<string, unknown> = {
    ...{ true: true, True: true, false: false, False: false, none: null, None: null },
    messages: messages.map((message) => ({ ...message })),
    add_generation_prompt: addGenerationPrompt,
    bos_token: bos ?? "",
    eos_token: eos ?? "",
    range,
    raise_exception: (message: unknown) => {
      throw new LensorError(
        `The model's chat template refuses these messages: ${String(message).slice(0, 500)}`,
      );
    },
  };
  for (const [name, value] of Object.entries(globals)) environment.set(name, value);
  if (parsed?.template !== template) {
    // The two options are how transformers sets up Jinja for chat templates.
    const program = parse(tokenize(template, { lstrip_blocks: true, trim_blocks: true }));
    parsed = { template, program };
  }
  const result = new BoundedInterpreter(environment).run(parsed.program);
  const text = String(result.value);
  if (text.length > CHAT_LIMITS.output) throw tooMuch("characters of text", CHAT_LIMITS.output);
  return text;
}

/** The last one: a dataset's conversations all have the same. */
let parsed: { readonly template: string; readonly program: unknown } | undefined;

interface Evaluated {
  value: unknown;
}

// The package's own declarations import without file endings, which nodenext does not resolve: this is what is used of it.
const Base = Interpreter as unknown as new (
  environment: Environment,
) => { evaluate(node: unknown, environment: unknown): Evaluated; run(program: unknown): Evaluated };

/** Counts every node it evaluates, and looks at the size of what came out. */
class BoundedInterpreter extends Base {
  private steps = 0;
  private characters = 0;

  override evaluate(node: unknown, environment: unknown): Evaluated {
    if (++this.steps > CHAT_LIMITS.steps) throw tooMuch("steps", CHAT_LIMITS.steps);
    const result = super.evaluate(node, environment);
    const { value } = result;
    if (typeof value === "string" && (this.characters += value.length) > CHAT_LIMITS.characters)
      throw tooMuch("characters on the way", CHAT_LIMITS.characters);
    if (Array.isArray(value) && value.length > CHAT_LIMITS.elements)
      throw tooMuch("elements in a list", CHAT_LIMITS.elements);
    return result;
  }
}

function range(from: number, to?: number, step = 1): number[] {
  const [start, stop] = to === undefined ? [0, from] : [from, to];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= CHAT_LIMITS.elements)) throw tooMuch("elements in a range", CHAT_LIMITS.elements);
  return Array.from({ length: count }, (_, i) => start + i * step);
}

function tooMuch(what: string, most: number): LensorError {
  return new LensorError("The model's chat template asks for too much work", {
    expected: `at most ${most} ${what}`,
    fix: "The template in the model's file is broken or hostile: render the prompt yourself and use generate.",
  });
}
