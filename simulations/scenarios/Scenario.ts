/**
 * What a simulation consists of, as data: how large the world is, who does what in it, and what befalls it. The
 * files beside this one are scenarios; `--scenario FILE.json` takes one of anybody's.
 */
import { type FaultName, isFaultName } from "#simulations/faults/Faults.ts"
import { isWorkloadName, type WorkloadName } from "#simulations/workloads/Workloads.ts"
import * as Data from "effect/Data"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const Count = Schema.Int.pipe(Schema.between(1, 1024))
const Seconds = Schema.Number.pipe(Schema.between(0.1, 100_000))

const File = Schema.Struct({
  about: Schema.String,
  runners: Count,
  zones: Count,
  clients: Count,
  /** Loops of each client that ask at the same time, in one session. */
  loops: Count,
  /** How long the load and the faults last, in seconds of the world. */
  seconds: Seconds,
  /** A loop waits so long between two steps, on average. */
  thinkSeconds: Seconds,
  leaseSeconds: Seconds,
  sessionLeaseSeconds: Seconds,
  snapshotEvents: Schema.Int.pipe(Schema.positive()),
  /** Rows of a segment at most; whatever a runner takes by itself, if it is not given. */
  segmentRows: Schema.optional(Schema.Int.pipe(Schema.positive())),
  /** How long archived rows stay in the database; for ever, if it is not given. */
  retentionSeconds: Schema.optional(Schema.NonNegative),
  /** Blocks in an object store that never loses what it took, or on one host's disk. */
  store: Schema.Literal("objects", "disk"),
  /** Whether somebody changes the journal once all is over. */
  tampering: Schema.optionalWith(Schema.Boolean, { default: () => false }),
  /** How often each is chosen, against the others. */
  workloads: Schema.Record({ key: Schema.String, value: Schema.Number.pipe(Schema.positive()) }),
  /** Mean seconds between two of a kind. */
  faults: Schema.Record({ key: Schema.String, value: Seconds })
})

export interface Scenario extends Omit<typeof File.Type, "workloads" | "faults"> {
  readonly name: string
  readonly workloads: ReadonlyArray<readonly [WorkloadName, number]>
  readonly faults: ReadonlyArray<readonly [FaultName, number]>
}

/** The file is no scenario. */
export class BadScenario extends Data.TaggedError("BadScenario")<{
  readonly name: string
  readonly reason: string
}> {
  override get message(): string {
    return `scenario ${this.name}: ${this.reason}`
  }
}

export const parse = (name: string, text: string): Either.Either<Scenario, BadScenario> =>
  Schema.decodeUnknownEither(Schema.parseJson(File), { onExcessProperty: "error" })(text).pipe(
    Either.mapLeft((error) => new BadScenario({ name, reason: ParseResult.TreeFormatter.formatErrorSync(error) })),
    Either.flatMap(({ faults, workloads, ...rest }) =>
      Either.all({
        workloads: named(name, "workload", isWorkloadName, workloads),
        faults: named(name, "fault", isFaultName, faults)
      }).pipe(Either.map((known) => ({ ...rest, ...known, name })))
    )
  )

const named = <Name extends string>(
  scenario: string,
  what: string,
  isName: (text: string) => text is Name,
  entries: { readonly [name: string]: number }
): Either.Either<ReadonlyArray<readonly [Name, number]>, BadScenario> => {
  const known: Array<readonly [Name, number]> = []
  for (const [text, value] of Object.entries(entries)) {
    if (!isName(text)) return Either.left(new BadScenario({ name: scenario, reason: `no ${what} is called ${text}` }))
    known.push([text, value])
  }
  return Either.right(known)
}
