/**
 * The last look, once all is quiet: everything there is is read once more, so that the history ends with what is
 * left; each zone's journal is verified and replayed; and the states must hold every invariant and nothing that
 * somebody left behind.
 */
import type { HistoryBroken } from "#audit/JournalStream.ts"
import { verify } from "#audit/Verify.ts"
import type { TransportError } from "#client/ClientError.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Mode from "#domain/Mode.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import { problemsOf } from "#domain/testing/Invariants.ts"
import { walk } from "#simulations/checks/HistoryWalk.ts"
import type { SimulatedCluster } from "#simulations/cluster/SimulatedCluster.ts"
import * as Data from "#simulations/workloads/Data.ts"
import type { Hands } from "#simulations/workloads/Hands.ts"
import type { Process } from "#simulations/world/Process.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/** The inspector in a process of its own, which ends when it has seen everything. */
export const inspect = (cluster: SimulatedCluster): Process => {
  const process: Process = cluster.runClient("inspector", (hands) =>
    lookAtAll(hands, {
      violate: (rule, text) => cluster.violate(rule, text),
      stateOf: (zone) =>
        Effect.map(walk(cluster, process, hands.client, zone), ({ state, violations }) => {
          for (const { rule, text } of violations) cluster.violate(rule, text)
          return state
        })
    }))
  return process
}

export interface Inspection {
  readonly violate: (rule: string, text: string) => void
  /** The zone's state as its history tells it, up to the event or its end. */
  readonly stateOf: (zone: number, sequence: number) => Effect.Effect<ZoneState, HistoryBroken | TransportError>
}

/** Reads all that there is, and judges each zone. */
export const lookAtAll = (hands: Hands, inspection: Inspection): Effect.Effect<void> =>
  Effect.gen(function*() {
    for (let zone = 0; zone < hands.client.info.zones; zone++) {
      yield* readTree(hands, InodeNumber.rootOf(zone))
      yield* judge(inspection, hands, zone)
    }
  })

/** A zone that moves gives sessions their full time again; so often must all zones be asked for in that time. */
const ROUNDS_PER_LEASE = 4
const LEASES = 2.5

/**
 * Waits until the sessions of clients that died are over. A zone lives once somebody asks for it, so this one asks,
 * again and again.
 */
export const outlast = (cluster: SimulatedCluster): Process =>
  cluster.runClient("waiter", ({ call }) =>
    Effect.gen(function*() {
      const { sessionLeaseSeconds, zones } = cluster.scenario
      for (let round = 0; round < LEASES * ROUNDS_PER_LEASE; round++) {
        for (let zone = 0; zone < zones; zone++) yield* call("getAttributes", { inode: InodeNumber.rootOf(zone) })
        yield* Effect.sleep(Duration.seconds(sessionLeaseSeconds / ROUNDS_PER_LEASE))
      }
    }))

/** Looks at every name and every file, and reads every byte. */
const readTree = (hands: Hands, directory: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const listing = yield* hands.call("readDirectory", {
      inode: directory,
      handle: 0,
      after: "",
      count: 8000,
      plus: true
    })
    for (const { attributes, inode, name } of listing?.entries ?? []) {
      yield* hands.call("lookup", { parent: directory, name })
      const type = (attributes?.mode ?? 0) & Mode.S_IFMT
      if (type === Mode.S_IFDIR) yield* readTree(hands, inode)
      if (type === Mode.S_IFREG) yield* readFile(hands, inode)
    }
  })

const readFile = (hands: Hands, inode: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* hands.call("getAttributes", { inode })
    const content = yield* hands.call("readExtents", { inode, handle: 0, offset: 0, length: 2 ** 40 })
    for (const extent of content?.extents ?? []) yield* Data.verify(hands, extent)
  })

const judge = ({ stateOf, violate }: Inspection, { client }: Hands, zone: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const verdict = yield* verify(client, zone, () => undefined)
    if (verdict.problem !== undefined) {
      const { reason, sequence } = verdict.problem
      violate("history is what happened", `zone ${zone}, event ${sequence}: ${reason}`)
      return
    }
    if (verdict.notCompared !== undefined) {
      violate("history is what happened", `zone ${zone} could not be compared: ${verdict.notCompared}`)
    }
    const state = yield* stateOf(zone, verdict.sequence)
    for (const problem of problemsOf(state)) violate("invariants hold", `zone ${zone}: ${problem}`)
    for (const leftOver of leftOversOf(state)) violate("nothing is left behind", `zone ${zone}: ${leftOver}`)
  }).pipe(
    Effect.catchAll(({ message }) => Effect.sync(() => violate("history is what happened", `zone ${zone}: ${message}`)))
  )

/** What clients that are gone should have taken with them. */
const leftOversOf = (state: ZoneState): ReadonlyArray<string> => {
  const left: Array<string> = []
  for (const session of state.sessions.values()) {
    left.push(`session ${session.id} of ${session.descriptor.host} outlives its client`)
  }
  for (const inode of state.inodes()) {
    const isRoot = InodeNumber.localOf(inode.number) === InodeNumber.ROOT_LOCAL
    if (inode.nlink === 0 && !isRoot) left.push(`inode ${inode.number} has no name and nobody holds it`)
    if (inode.locks.length + inode.waiters.length > 0) left.push(`inode ${inode.number} is locked by nobody`)
  }
  return left
}
