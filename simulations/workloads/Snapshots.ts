/**
 * Takes, lists, browses and removes snapshots of directories that others change. One that was taken is listed until
 * somebody begins to remove it, and never again after; what it shows is what the history says, replayed from its first
 * event.
 */
import * as PastTree from "#audit/PastTree.ts"
import { replay } from "#audit/Replay.ts"
import type { Attributes } from "#domain/Attributes.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import type { Hands, TakenSnapshot, Workload } from "#simulations/workloads/Hands.ts"
import { create } from "#simulations/workloads/Namespace.ts"
import * as Effect from "effect/Effect"

const REMEMBERED_MAX = 32
const NAMES = ["a", "b", "c", "d", "e"]

export const snapshots: Workload = (hands) => {
  const { dice, known } = hands
  if (known.snapshots.length === 0) return take(hands)
  const snapshot = dice.of(known.snapshots)
  switch (dice.below(8)) {
    case 0:
    case 1:
      return take(hands)
    case 2:
      return remove(hands, snapshot)
    case 3:
    case 4:
      return list(hands, InodeNumber.zoneOf(snapshot.directory))
    default:
      return browse(hands, snapshot)
  }
}

/** In the midst of a row, usually: a change of the directory goes with it in one message. */
const take = (hands: Hands): Effect.Effect<void> =>
  Effect.gen(function*() {
    const { call, dice, known } = hands
    const directory = dice.of(known.directories)
    const name = known.freshName()
    const [reply] = yield* Effect.zip(
      call("takeSnapshot", { directory, name, path: "/somewhere" }),
      create(hands, directory, dice.of(NAMES), false),
      { concurrent: true }
    )
    if (reply === undefined) return
    known.snapshots.push({ directory, name, sequence: reply.snapshot.sequence, removal: "none" })
    if (known.snapshots.length > REMEMBERED_MAX) known.snapshots.shift()
  })

const remove = ({ ask }: Hands, snapshot: TakenSnapshot): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (snapshot.removal !== "none") return
    snapshot.removal = "begun"
    const { directory, name } = snapshot
    const answer = yield* ask("removeSnapshot", { directory, name })
    if (answer?.errno === 0) snapshot.removal = "done"
  })

const list = ({ call, complain, known }: Hands, zone: number): Effect.Effect<void> =>
  Effect.gen(function*() {
    const before = known.snapshots
      .filter(({ directory }) => InodeNumber.zoneOf(directory) === zone)
      .map((snapshot) => ({ snapshot, was: snapshot.removal }))
    const reply = yield* call("listSnapshots", { directory: InodeNumber.rootOf(zone), all: true })
    if (reply === undefined) return
    const found = new Map(reply.snapshots.map(({ name, sequence }) => [name, sequence]))
    for (const { snapshot: { name, removal, sequence }, was } of before) {
      if (removal === "none" && found.get(name) !== sequence) {
        complain(`snapshot ${name}, taken at event ${sequence}, is listed at ${found.get(name)}`)
      }
      if (was === "done" && found.has(name)) complain(`snapshot ${name} is listed though it was removed`)
    }
  })

const browse = ({ client, complain }: Hands, { directory, name, sequence }: TakenSnapshot): Effect.Effect<void> =>
  Effect.gen(function*() {
    const zone = InodeNumber.zoneOf(directory)
    const numberOf = (inode: number): number => client.past.numberOf({ zone, sequence }, inode) as number
    const request = { inode: numberOf(directory), handle: 0, after: "", count: 8000, plus: true }
    const { entries } = yield* client.call("readDirectory", request).pipe(
      Effect.tapErrorTag("PosixError", ({ message }) => Effect.sync(() => complain(`snapshot ${name}: ${message}`))),
      Effect.tapErrorTag("RequestRefused", ({ message }) => Effect.sync(() => complain(`snapshot ${name}: ${message}`)))
    )
    const shown = entries.map((entry) => lineOf(entry.name, entry.attributes as Attributes))
    const { state } = yield* replay(client, zone, sequence)
    const told = PastTree.list(state, state.expect(directory)).map((entry) =>
      lineOf(entry.name, { ...entry.attributes, inode: numberOf(entry.attributes.inode) })
    )
    if (shown.join() === told.join()) return
    complain(`snapshot ${name} of zone ${zone} shows ${shown.join()}, its history has ${told.join()}`)
  }).pipe(
    Effect.catchTag("HistoryBroken", ({ message }) => Effect.sync(() => complain(message))),
    Effect.ignore
  )

const lineOf = (name: string, { ctime, inode, mode, mtime, nlink, size }: Attributes): string =>
  [name, inode, mode, nlink, size, mtime.seconds, mtime.nanos, ctime.seconds, ctime.nanos].join(" ")
