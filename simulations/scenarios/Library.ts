/** The scenarios that come with Cadastre, and those of others by their file's path. */
import { BadScenario, parse, type Scenario } from "#simulations/scenarios/Scenario.ts"
import * as Either from "effect/Either"
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"

const folder = import.meta.dirname

/** Names of those that come along. */
export const names: ReadonlyArray<string> = readdirSync(folder)
  .filter((file) => file.endsWith(".json"))
  .map((file) => basename(file, ".json"))
  .sort()

/** One that comes along, by its name; else a file, by its path, which ends with `.json`. */
export const load = (name: string): Either.Either<Scenario, BadScenario> => {
  const known = names.includes(name)
  if (!known && !name.endsWith(".json")) {
    return Either.left(new BadScenario({ name, reason: `there are ${names.join(", ")}, or a path to a .json file` }))
  }
  return Either.flatMap(
    Either.try({
      try: () => readFileSync(known ? join(folder, `${name}.json`) : name, "utf8"),
      catch: (cause) => new BadScenario({ name, reason: (cause as Error).message })
    }),
    (text) => parse(name, text)
  )
}
