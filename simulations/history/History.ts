/**
 * A recorded history: which client asked what, when, and what it was told, with a printer for people.
 * It is not a journal: it knows no zones, and it holds what clients saw, not what happened.
 */
import * as Errno from "#domain/Errno.ts"
import * as Mode from "#domain/Mode.ts"
import type { OperationName, ReplyOf, RequestOf } from "#domain/Operations.ts"

export interface ObservationOf<Name extends OperationName> {
  /** The session that asked; one that comes back after its session ended is a new client. */
  readonly client: number
  /** Which of the client's operations it is, from 0. */
  readonly index: number
  /** Moments of the whole history: every beginning and every end has a number of its own. */
  readonly begun: number
  /** Undefined if the client never learnt the outcome. */
  readonly ended: number | undefined
  readonly operation: Name
  /** Its inode numbers are resolved; one that an undecided operation was to make is `madeBy` it. */
  readonly request: RequestOf<Name>
  /** Undefined if the client never learnt it; then it may have happened, may yet happen, or never. */
  readonly outcome: OutcomeOf<Name> | undefined
  /** What the recorder knows beyond what the client saw. Checkers do not read it. */
  readonly applied?: string | undefined
}

export interface OutcomeOf<Name extends OperationName> {
  /** 0 for success. */
  readonly errno: number
  /** Of a success, as the operation shapes it. */
  readonly reply?: ReplyOf<Name> | undefined
}

/** One operation of a history; `operation` tells the request's and the reply's type. */
export type Observation = { readonly [Name in OperationName]: ObservationOf<Name> }[OperationName]

/**
 * Whether the client knows what came of it. ECANCELED leaves it open: a zone says so of what never ran, and of
 * what it answered once and has forgotten.
 */
export const isDecided = ({ outcome }: Observation): boolean =>
  outcome !== undefined && outcome.errno !== Errno.Errno.ECANCELED

/** Stands for the inode that an undecided operation was to make and that later commands of its message refer to. */
export const madeBy = ({ begun }: Pick<Observation, "begun">): number => -1 - begun

/** Whether the client knows that it was refused. */
export const isRefused = (observation: Observation): boolean =>
  isDecided(observation) && observation.outcome?.errno !== 0

/** One line an operation, in the order in which they began. */
export const render = (observations: ReadonlyArray<Observation>): string => {
  const sorted = observations.toSorted((a, b) => a.begun - b.begun)
  const heads = sorted.map(({ begun, client, ended, index }) => [`c${client}#${index}`, `${begun}..${ended ?? ""}`])
  const widths = [0, 1].map((column) => Math.max(0, ...heads.map((head) => head[column]?.length ?? 0)))
  return sorted.map((observation, line) => {
    const head = heads[line]?.map((text, column) => text.padEnd(widths[column] ?? 0)).join("  ")
    return `${head}  ${call(observation)} -> ${result(observation)}`
  }).join("\n")
}

const call = ({ operation, request }: Observation): string => `${operation}${fields(request)}`

const result = ({ applied, ended, outcome }: Observation): string => {
  const note = applied === undefined ? "" : ` [${applied}]`
  if (outcome === undefined) return `${ended === undefined ? "?" : "? (gave up)"}${note}`
  if (outcome.errno !== 0) return `${Errno.nameOf(outcome.errno)}${note}`
  return `${outcome.reply === undefined ? "ok" : value(outcome.reply)}${note}`
}

const LIST_MAX = 16

const value = (given: unknown): string => {
  if (typeof given === "string") return JSON.stringify(given)
  if (Array.isArray(given)) {
    const rest = given.length > LIST_MAX ? [`... ${given.length - LIST_MAX} more`] : []
    return `[${[...given.slice(0, LIST_MAX).map(value), ...rest].join(", ")}]`
  }
  if (typeof given !== "object" || given === null) return String(given)
  const { mode } = given as { readonly mode?: unknown }
  return typeof mode === "number" && "nlink" in given ? attributes(given, mode) : fields(given)
}

/** Times and devices tell nobody why a history is wrong. */
const attributes = (given: object, mode: number): string => {
  const { dataBytes, gid, inode, nlink, size, uid } = given as { readonly [field: string]: unknown }
  return `{inode ${inode} ${Mode.format(mode)} nlink ${nlink} owner ${uid}:${gid} size ${size} data ${dataBytes}}`
}

const fields = (given: object): string => {
  const parts = Object.entries(given).filter(([, field]) => field !== undefined)
  return `(${parts.map(([name, field]) => `${name}=${value(field)}`).join(" ")})`
}
