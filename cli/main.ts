/**
 * The command line. It only finds the command: each one's code is loaded when it runs, so that `--version` and
 * `--help` answer at once.
 */
import type { Command as Spec, CommandArgument, Options } from "#cli/Command.ts"
import { Exit } from "#cli/Command.ts"
import { commands, connectOptions } from "#cli/Commands.ts"
import { complain } from "#cli/Output.ts"
import { Command, CommanderError, InvalidArgumentError, Option } from "commander"
import { readFileSync } from "node:fs"
import { enableCompileCache } from "node:module"

enableCompileCache()

const HEADER = "Cadastre: a distributed POSIX file system with a complete, verifiable history."

const FOOTER = `
Exit codes: 0 done, 1 something was not done, 2 wrong usage, 3 no file system reached, 4 the audit found damage.
Examples:
  $ cadastre up                       start a file system on this machine
  $ cadastre put photos /             copy a folder into it
  $ cadastre audit verify             check the whole history`

const build = (): Command => {
  const root = new Command("cadastre")
    .description(HEADER)
    .version(version(), "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", FOOTER)
    .showSuggestionAfterError(true)
    .exitOverride()
    // A command may be a group as well (`simulate`): options behind the second word are the second word's.
    .enablePositionalOptions()
  for (const spec of commands) add(root, spec)
  return root
}

/** Adds a command of one word or two; the first of two becomes a group. */
const add = (root: Command, spec: Spec): void => {
  const [first = "", second] = spec.name.split(" ")
  let parent = root
  if (second !== undefined) {
    const group = root.commands.find((candidate) => candidate.name() === first)
    parent = group ?? root.command(first).exitOverride()
    if (group === undefined) parent.description(groupSummary[first] ?? "")
  }
  const command = parent.command(second ?? first).description(spec.summary).exitOverride().enablePositionalOptions()
  for (const argument of spec.arguments ?? []) addArgument(command, argument)
  for (const { description, flags, parse } of [...spec.options ?? [], ...spec.connects ? connectOptions : []]) {
    const option = new Option(flags, description)
    if (parse !== undefined) option.argParser((text) => checked(() => parse(text)))
    command.addOption(option)
  }
  command.addHelpText("after", `\nExamples:\n${spec.examples.map((line) => `  $ ${line}`).join("\n")}`)
  command.action(async () => {
    const { run } = await spec.load()
    process.exitCode = await run(command.processedArgs.flat() as ReadonlyArray<string>, command.opts() as Options)
  })
}

const groupSummary: { readonly [name: string]: string } = {
  snapshot: "names for points of a folder's history",
  audit: "who did what, the history's proof, and the past"
}

const addArgument = (command: Command, { description, name }: CommandArgument): void => {
  command.argument(name, description)
}

/** A parser's complaint in commander's own words. */
const checked = (parse: () => unknown): unknown => {
  try {
    return parse()
  } catch (cause) {
    throw new InvalidArgumentError((cause as Error).message)
  }
}

const version = (): string => {
  const file = readFileSync(new URL("../package.json", import.meta.url), "utf8")
  return (JSON.parse(file) as { readonly version: string }).version
}

const main = async (): Promise<void> => {
  try {
    await build().parseAsync()
  } catch (cause) {
    if (cause instanceof CommanderError) {
      process.exitCode = cause.exitCode === 0 ? Exit.ok : Exit.usage
      return
    }
    complain(cause instanceof Error ? cause.stack ?? cause.message : String(cause))
    process.exitCode = Exit.failed
  }
}

// A reader that has seen enough, as `head` has, is no error.
process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
  if (cause.code !== "EPIPE") throw cause
  process.exit(Exit.ok)
})

await main()
