// What the protocol needs of whatever runs the code: the one seam between Jupyter's messages and a language.
// Plain records and callbacks; offsets are UTF-16 units on this side of the seam.

export type MimeBundle = Record<string, unknown>;

/** Something to show under the request that caused it, at any time, even after its reply. */
export type Output =
  | { readonly type: "stream"; readonly name: "stdout" | "stderr"; readonly text: string }
  | { readonly type: "display_data"; readonly data: MimeBundle; readonly id?: string }
  | { readonly type: "update_display_data"; readonly data: MimeBundle; readonly id: string }
  | { readonly type: "execute_result"; readonly data: MimeBundle }
  | { readonly type: "clear_output"; readonly wait: boolean }
  /** To be read on the side: front ends show it in a pager. */
  | { readonly type: "page"; readonly data: MimeBundle };

export interface Failure {
  readonly ename: string;
  readonly evalue: string;
  readonly traceback: readonly string[];
}

/** How an execution went. */
export interface Executed {
  readonly failure?: Failure;
  /** It failed or stopped, and what is queued behind it runs all the same: nobody asked for this one, or it will run again. */
  readonly contained?: boolean;
}

export interface ExecuteRequest {
  readonly code: string;
  readonly silent: boolean;
  /** Of a silent one: its value is wanted all the same. */
  readonly value?: boolean;
  /** The count this execution shows, `[3]`. */
  readonly count: number;
  /** The front end's id of the cell; absent where it sends none. */
  readonly cell?: string;
  readonly order?: readonly string[];
  readonly deleted?: readonly string[];
  /** A person is there, who can be asked, and shown things when it has run. */
  readonly attended?: boolean;
  /** By free name of the code: the cell that defines what it means, where that is known. */
  readonly meanings?: Readonly<Record<string, string>>;
}

export interface Frontend {
  output(message: Output): void;
  /** Asks the person for a line of text. Rejects when this front end cannot ask. */
  input(prompt: string, password: boolean): Promise<string>;
}

/** An open, a message or a close of a comm, in either direction. */
export interface CommMessage {
  readonly type: "open" | "msg" | "close";
  readonly id: string;
  /** Of an open: what the comm is for. */
  readonly target?: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly buffers: readonly Buffer[];
}

/** The comms of a session. They work while a cell computes. */
export interface CommPort {
  receive(message: CommMessage): void;
  /** Where messages to the front ends go; the kernel sets it. */
  send: (message: CommMessage) => void;
  info(target?: string): Record<string, { target_name: string }>;
}

export interface LanguageInfo {
  readonly implementation: string;
  readonly implementationVersion: string;
  readonly banner: string;
  /** The `language_info` of kernel_info_reply, as Jupyter defines it. */
  readonly language: Readonly<Record<string, unknown>>;
}

export interface Session {
  readonly info: LanguageInfo;
  readonly comms: CommPort;
  /** Runs code; requests are handed over one at a time. Resolves when it has ended, however it ended. */
  execute(request: ExecuteRequest, frontend: Frontend): Promise<Executed>;
  /** A queued execution was dropped since one before it failed. What to say of that at its cell, if anything. */
  aborted(cell: string): Failure | undefined;
  complete(
    code: string,
    cursor: number,
  ): Promise<{ matches: readonly string[]; start: number; end: number; types: readonly string[] }>;
  /** @param detail Whether more than a reminder is wanted: where it is declared, and how. */
  inspect(code: string, cursor: number, detail: boolean): Promise<{ found: boolean; data: MimeBundle }>;
  isComplete(
    code: string,
  ): Promise<{ status: "complete" | "incomplete" | "invalid" | "unknown"; indent: string }>;
  interrupt(): void;
  close(): Promise<void>;
}
