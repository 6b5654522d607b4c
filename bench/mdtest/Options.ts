/**
 * What a run of mdtest is asked to do: its options, their defaults, and which of them do not go together. The command
 * line has checked each alone.
 */
import { type BenchOptions, refused } from "#bench/Report.ts"
import { Limits } from "#domain/Limits.ts"
import * as Path from "node:path"

/** As they come from the command line; the short ones by mdtest's letters. */
export interface GivenOptions extends BenchOptions {
  /** Items of each task. */
  readonly items?: number
  readonly itemsPerDirectory?: number
  readonly branching?: number
  readonly depth?: number
  readonly iterations?: number
  readonly unique?: boolean
  readonly filesOnly?: boolean
  readonly directoriesOnly?: boolean
  readonly createOnly?: boolean
  readonly statOnly?: boolean
  readonly readOnly?: boolean
  readonly removeOnly?: boolean
  readonly write?: number
  readonly tasks?: number
  readonly callers?: number
  readonly batch?: number
  readonly zones?: number
  readonly runners?: number
  readonly tls?: boolean
  readonly connect?: string
  readonly data?: string
  readonly secretFile?: string
  readonly record?: string
  readonly profile?: string
}

/** What a task must know of the run. */
export interface Shape {
  readonly tasks: number
  readonly zones: number
  /** Requests that a task has under way at a time. */
  readonly callers: number
  /** Items of one request. */
  readonly batch: number
  /** Items of each task in all its zones. */
  readonly items: number
  /** Undefined: the items are spread evenly over one tree's directories. */
  readonly itemsPerDirectory: number | undefined
  /** Subdirectories of each directory of a tree, and how deep they go. */
  readonly branching: number
  readonly depth: number
  /** Each task has trees of its own. */
  readonly unique: boolean
  /** Bytes that each file gets when it is created. */
  readonly writeBytes: number
}

export interface Selection {
  readonly files: boolean
  readonly directories: boolean
  readonly create: boolean
  readonly stat: boolean
  readonly read: boolean
  readonly remove: boolean
}

export interface MdtestOptions {
  /** Zones are known once the cluster is, where it is not this run's own. */
  readonly shape: Omit<Shape, "zones" | "items">
  readonly itemsGiven: number | undefined
  readonly selection: Selection
  readonly iterations: number
  readonly zones: number | undefined
  readonly runners: number
  readonly tls: boolean
  readonly connect: string | undefined
  readonly data: string | undefined
  readonly secretFile: string | undefined
  readonly record: string | undefined
  readonly profile: string | undefined
}

const ITEMS = 200_000
const TASKS = 2
const CALLERS = 8
const BATCH = 256
/** An item takes two commands at most, and a request fits into one message. */
const BATCH_MAX = Limits.messageCommandsMax / 2
/** Directories whose inodes a task remembers. */
export const DIRECTORIES_MAX = 1_000_000

/** The run's options, or a refusal that says what to change. */
export const optionsOf = (given: GivenOptions): MdtestOptions => {
  const refuse = (reason: string): never => {
    throw refused(`mdtest: ${reason}`)
  }
  const one = given.createOnly === true || given.statOnly === true || given.readOnly === true ||
    given.removeOnly === true
  const foreign = given.connect !== undefined || given.data !== undefined
  const batch = given.batch ?? BATCH
  const branching = given.branching ?? 1
  const depth = given.depth ?? 0
  if (given.filesOnly === true && given.directoriesOnly === true) {
    refuse("-F and -D leave nothing to do; give one of them")
  }
  if (batch > BATCH_MAX) refuse(`--batch ${batch} does not fit into a message; ${BATCH_MAX} items do`)
  if (given.connect !== undefined && given.data !== undefined) {
    refuse("--connect and --data name two clusters; give one")
  }
  if (foreign && given.runners !== undefined) {
    refuse("--runners is for a cluster of the run's own, without --connect and --data")
  }
  if (foreign && given.tls === true) {
    refuse("--tls is for a cluster of the run's own; set CADASTRE_TLS=true for one that speaks TLS")
  }
  if (given.connect === undefined && given.secretFile !== undefined) refuse("--secret-file is for --connect")
  if (one && given.createOnly !== true && !foreign) {
    refuse("-T, -E and -r need what -C left: name that cluster with --connect or --data, or give -C as well")
  }
  if (given.readOnly === true && given.directoriesOnly === true) refuse("-E reads files, and -D leaves them out")
  if (directoriesOf(branching, depth) > DIRECTORIES_MAX) {
    refuse(`-b ${branching} -z ${depth} make more than ${DIRECTORIES_MAX} directories a tree`)
  }
  return {
    shape: {
      tasks: given.tasks ?? TASKS,
      callers: given.callers ?? CALLERS,
      batch,
      itemsPerDirectory: given.itemsPerDirectory,
      branching,
      depth,
      unique: given.unique === true,
      writeBytes: given.write ?? 0
    },
    itemsGiven: given.items ?? (given.itemsPerDirectory === undefined ? ITEMS : undefined),
    selection: {
      files: given.directoriesOnly !== true,
      directories: given.filesOnly !== true,
      create: !one || given.createOnly === true,
      stat: !one || given.statOnly === true,
      read: !one || given.readOnly === true,
      remove: !one || given.removeOnly === true
    },
    iterations: given.iterations ?? 1,
    zones: given.zones,
    runners: given.runners ?? 1,
    tls: given.tls === true,
    connect: given.connect,
    data: given.data,
    secretFile: given.secretFile,
    record: given.record === undefined ? undefined : Path.resolve(given.record),
    profile: given.profile === undefined ? undefined : Path.resolve(given.profile)
  }
}

/** Directories of one tree, its root included. */
export const directoriesOf = (branching: number, depth: number): number => {
  let level = 1
  let sum = 1
  for (let at = 1; at <= depth && sum <= DIRECTORIES_MAX; at++) sum += level *= branching
  return sum
}
