/** The directories of a test, as one task sees them: made, found again and removed level by level, all zones at once. */
import { drive, type ItemFailed, type Meter } from "#bench/mdtest/Drive.ts"
import type { Shape } from "#bench/mdtest/Options.ts"
import { asker } from "#bench/mdtest/Phases.ts"
import * as Plan from "#bench/mdtest/Plan.ts"
import type { TransportError } from "#client/ClientError.ts"
import type { Call, ZoneLink } from "#client/ZoneLink.ts"
import type { Attributes } from "#domain/Attributes.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Effect from "effect/Effect"

/** A lane of the plan, with the way to its zone and the numbers of its directories. */
export interface Ground extends Plan.Lane {
  readonly link: ZoneLink
  /** Inode of the test's directory in this zone, 0 until it is made or found. */
  test: number
  /** Inodes of the trees' directories, 0 until they are made or found. */
  readonly inodes: Float64Array
}

/** Zones that a task wakes at a time: one that comes to life asks the database several times. */
const WAKING_MAX = 8

/** A command for a directory, by the inode that holds it and its name there. */
type Ask = (parent: number, name: string) => Call

const mkdir = asker("makeDirectory", root)
const lookup = asker("lookup", root)
const rmdir = asker("removeDirectory", root)
const MODE = 0o755
const make: Ask = (parent, name) => mkdir({ parent, name, mode: MODE, umask: 0 })
const find: Ask = (parent, name) => lookup({ parent, name })
const remove: Ask = (parent, name) => rmdir({ parent, name })

export class Forest {
  readonly grounds: ReadonlyArray<Ground>
  private readonly shape: Shape
  private readonly trees: Plan.Trees
  private readonly levels: ReadonlyArray<Plan.Level>

  /** `links`: one for each of the task's lanes. */
  constructor(shape: Shape, task: number, links: ReadonlyArray<ZoneLink>) {
    this.shape = shape
    this.trees = Plan.treesOf(shape)
    const { branching, depth } = shape
    this.levels = Array.from({ length: depth + 1 }, (_, level) => Plan.levelOf(this.trees, branching, level))
    this.grounds = Plan.lanesOf(shape, task).map((lane, index) => ({
      ...lane,
      link: links[index] as ZoneLink,
      test: 0,
      inodes: new Float64Array(this.trees.trees * this.trees.directories)
    }))
  }

  /** The directory of an item. */
  parentOf(ground: Ground, item: number): number {
    return ground.inodes[Math.floor(item / this.trees.itemsPerDirectory)] as number
  }

  makeTest(iteration: number, meter: Meter): Effect.Effect<void, TransportError | ItemFailed> {
    return this.atRoots(make, iteration, ({ hasTest }) => hasTest, meter)
  }

  removeTest(iteration: number, meter: Meter): Effect.Effect<void, TransportError | ItemFailed> {
    return this.atRoots(remove, iteration, ({ hasTest }) => hasTest, meter)
  }

  makeTrees(meter: Meter): Effect.Effect<void, TransportError | ItemFailed> {
    return Effect.forEach(this.levels, (level) => this.atLevel(make, level, ({ keeps }) => keeps, meter), {
      discard: true
    })
  }

  removeTrees(meter: Meter): Effect.Effect<void, TransportError | ItemFailed> {
    return Effect.forEach(
      this.levels.toReversed(),
      (level) => this.atLevel(remove, level, ({ keeps }) => keeps, meter),
      { discard: true }
    )
  }

  /** Learns the inodes of all directories that this task works in; those of the trees where they are there. */
  open(iteration: number, trees: boolean, meter: Meter): Effect.Effect<void, TransportError | ItemFailed> {
    return Effect.zipRight(
      this.atRoots(find, iteration, () => true, meter),
      Effect.forEach(trees ? this.levels : [], (level) => this.atLevel(find, level, () => true, meter), {
        discard: true
      })
    )
  }

  private atRoots(ask: Ask, iteration: number, wanted: (ground: Ground) => boolean, meter: Meter) {
    const name = Plan.testName(iteration)
    return drive({
      lanes: this.lanes(wanted, 1),
      callers: Math.min(this.shape.callers, WAKING_MAX),
      batch: 1,
      send: ({ ground }) => ground.link.send([ask(InodeNumber.rootOf(ground.zone), name)]),
      onOutcomes: ({ ground }, _, [outcome]) => {
        ground.test = inodeOf(outcome?.reply) ?? ground.test
      }
    }, meter)
  }

  private atLevel(ask: Ask, level: Plan.Level, wanted: (ground: Ground) => boolean, meter: Meter) {
    return drive({
      lanes: this.lanes(wanted, level.count),
      callers: this.shape.callers,
      batch: this.shape.batch,
      send: ({ ground }, from, count) => {
        const calls: Array<Call> = []
        for (let n = from; n < from + count; n++) {
          const directory = level.directory(n)
          const parent = level.parent(directory)
          const inode = parent === -1 ? ground.test : ground.inodes[parent] as number
          calls.push(ask(inode, Plan.treeName(ground.owner, directory)))
        }
        return ground.link.send(calls)
      },
      onOutcomes: ({ ground }, from, outcomes) => {
        for (let at = 0; at < outcomes.length; at++) {
          const inode = inodeOf(outcomes[at]?.reply)
          if (inode !== undefined) ground.inodes[level.directory(from + at)] = inode
        }
      }
    }, meter)
  }

  private lanes(wanted: (ground: Ground) => boolean, items: number) {
    return this.grounds.filter(wanted).map((ground) => ({ zone: ground.zone, link: ground.link, items, ground }))
  }
}

/** The inode that a reply tells of, where it does. */
const inodeOf = (reply: unknown): number | undefined =>
  (reply as { readonly attributes?: Attributes } | undefined)?.attributes?.inode
