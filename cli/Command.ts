/**
 * The shape of a command: what it is called and takes, what its help says, and what it does. A command is one file
 * in `commands/` and one line in `Commands.ts`.
 */

export interface CommandOption {
  /** As commander writes it, such as `-r, --recursive` or `--zones <n>`. */
  readonly flags: string
  readonly description: string
  /** Turns the text into a value, or throws an Error that says what is wrong. */
  readonly parse?: (text: string) => unknown
}

export interface CommandArgument {
  /** As commander writes it, such as `<path>` or `[paths...]`. */
  readonly name: string
  readonly description: string
}

/** Options of a call by their camel-case names. */
export interface Options {
  readonly [name: string]: unknown
}

/** Runs a command. The number it gives is the exit code. */
export type Run = (args: ReadonlyArray<string>, options: Options) => Promise<number>

export interface Command {
  /** Its words, such as `put` or `audit log`. */
  readonly name: string
  readonly summary: string
  readonly arguments?: ReadonlyArray<CommandArgument>
  readonly options?: ReadonlyArray<CommandOption>
  /** Lines for the end of its help, as one would type them. */
  readonly examples: ReadonlyArray<string>
  /** Whether it talks to a file system, and so takes the options that find one. */
  readonly connects: boolean
  readonly load: () => Promise<{ readonly run: Run }>
}

/** Exit codes, the same for every command. */
export const Exit = {
  ok: 0,
  /** Something that was asked for was not done; what, is on standard error. */
  failed: 1,
  /** The command line is not understood. */
  usage: 2,
  /** No file system was reached. */
  unreachable: 3,
  /** The audit found something that is not as it was written. */
  damaged: 4,
  interrupted: 130
} as const
