/** Planted bugs of snapshots: their names, and the past that they show. */
import type { Mutant } from "#simulations/mutants/Mutant.ts"

const scenario = "snapshots"

export const snapshots: ReadonlyArray<Mutant> = [
  {
    name: "past-from-any-state",
    about: "The past is read from the newest state there is, though that is of a later event.",
    file: "actors/Recovery.ts",
    find: "    const records = (yield* journal.snapshots(zone)).filter(({ head }) => head.sequence <= sequence)\n",
    replace: "    const records = yield* journal.snapshots(zone)\n",
    scenario
  },
  {
    name: "past-to-the-row-end",
    about: "The past goes on to the end of the row that holds its event.",
    file: "actors/Recovery.ts",
    find: "rows.filter(({ last }) => last <= sequence)",
    replace: "rows.filter(({ first }) => first <= sequence)",
    scenario
  },
  {
    name: "past-without-the-row",
    about: "The past ends before the row that holds its event, where that row goes on behind it.",
    file: "actors/Recovery.ts",
    find: "Chain.problemOf(head, cut) ?? (yield* applyAsking(pages, cut, new Map(), sequence))",
    replace: "Chain.problemOf(head, cut)",
    scenario
  },
  {
    name: "pasts-of-a-zone-mixed",
    about: "A runner keeps one past of a zone and shows it for every other one.",
    file: "actors/PastZones.ts",
    find: "const key = `${zone}/${sequence}`",
    replace: "const key = `${zone}`",
    scenario
  },
  {
    name: "points-of-a-zone-mixed",
    about: "A client takes every point of a zone's history for the first that it looked at.",
    file: "client/Past.ts",
    find: "point.zone === zone && point.sequence === sequence",
    replace: "point.zone === zone && (point.sequence > 0) === (sequence > 0)",
    scenario
  },
  {
    name: "snapshot-taken-too-late",
    about: "A snapshot shows the event after its own, too.",
    file: "domain/Evolve.ts",
    find: "state.snapshots.push({ directory, name, sequence: state.sequence,",
    replace: "state.snapshots.push({ directory, name, sequence: state.sequence + 1,",
    scenario
  },
  {
    name: "neighbour-of-a-snapshot-removed",
    about: "With a snapshot, the one that was taken after it is gone.",
    file: "domain/Evolve.ts",
    find: "state.snapshots.splice(state.snapshots.indexOf(snapshot), 1)",
    replace: "state.snapshots.splice(state.snapshots.indexOf(snapshot), 2)",
    scenario
  },
  {
    name: "snapshots-lost-by-a-takeover",
    about: "A zone that comes back from a stored state has forgotten its snapshots.",
    file: "domain/codec/StateCodec.ts",
    find: "state.snapshots.push(readSnapshot(r, state))",
    replace: "readSnapshot(r, state)",
    scenario
  }
]
