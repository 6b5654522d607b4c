/**
 * What every journal promises, as tests: each journal runs this suite in its own test file.
 * It knows nothing of how a journal keeps rows; faults of one kind of journal alone are tested there.
 */
import * as Chain from "#persistence/Chain.ts"
import type { Fenced, JournalService, JournalUnavailable, SegmentRecord, SnapshotRecord } from "#persistence/Journal.ts"
import type { Suite } from "#persistence/Suite.testing.ts"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Scope from "effect/Scope"
import { expect } from "vitest"

const MIB = 1024 * 1024
const ZONE = 7
/** Zones that race at a time, and rounds of each. */
const RACERS = 4
const ROUNDS = 30
/** Zones that append at once. */
const MANY = 40

/** Makes a journal without a row, a claim or a snapshot. */
export class FreshJournal extends Context.Tag("cadastre/test/FreshJournal")<
  FreshJournal,
  Effect.Effect<JournalService, never, Scope.Scope>
>() {}

const fresh = Effect.flatten(FreshJournal)

export const contract = (suite: Suite<FreshJournal>): void =>
  suite((test) => {
    test("counts the claims of each zone and gives where its chain stands", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        for (const zone of [0, 1023]) {
          expect(yield* journal.claim(zone, "a")).toEqual({ epoch: 1, head: Chain.START })
          expect(yield* journal.claim(zone, "a")).toEqual({ epoch: 2, head: Chain.START })
          const row = rowAfter(Chain.START, { zone, epoch: 2, events: 5 })
          yield* journal.append(row)
          const claim = yield* journal.claim(zone, "b")
          expect(claim.epoch).toBe(3)
          expectHead(claim.head, Chain.headOf(row))
        }
      }))

    test("fences every older epoch for good: it writes nothing", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const old = yield* journal.claim(ZONE, "old")
        const kept = rowAfter(Chain.START, { epoch: old.epoch })
        yield* journal.append(kept)
        const middle = yield* journal.claim(ZONE, "middle")
        const late = rowAfter(Chain.headOf(kept), { epoch: old.epoch, events: 3 })
        yield* expectFenced(journal.append(late), old.epoch)
        const newest = yield* journal.claim(ZONE, "newest")
        for (const epoch of [old.epoch, middle.epoch]) {
          yield* expectFenced(journal.append({ ...late, epoch }), epoch)
        }
        expectHead(yield* journal.head(ZONE), Chain.headOf(kept))
        const next = rowAfter(Chain.headOf(kept), { epoch: newest.epoch })
        yield* journal.append(next)
        const after = Chain.headOf(next)
        yield* expectFenced(journal.append(rowAfter(after, { epoch: old.epoch })), old.epoch)
        expectRows(yield* journal.read(ZONE, 0, 10, MIB), [kept, next])
      }))

    test("fences an epoch that nobody has claimed", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        yield* expectFenced(journal.append(rowAfter(Chain.START, { epoch: 1 })), 1)
        yield* journal.claim(ZONE, "a")
        for (const epoch of [0, 2]) yield* expectFenced(journal.append(rowAfter(Chain.START, { epoch })), epoch)
        yield* expectFenced(journal.append(rowAfter(Chain.START, { zone: ZONE + 1, epoch: 1 })), 1, ZONE + 1)
        expect(yield* journal.head(ZONE)).toEqual(Chain.START)
      }))

    test("gives back rows byte for byte, from an empty payload to a large one, with their links whole", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const { epoch } = yield* journal.claim(ZONE, "a")
        const payloads = [new Uint8Array(0), Uint8Array.of(0), everyByte(256), everyByte(MIB), everyByte(9999)]
        const times = [
          { seconds: 0, nanos: 0 },
          { seconds: 0, nanos: 999_999_999 },
          { seconds: 2 ** 32, nanos: 1 },
          { seconds: 2 ** 40, nanos: 0 },
          { seconds: 2 ** 40, nanos: 0 }
        ]
        const rows: Array<Chain.JournalRow> = []
        let head = Chain.START
        for (const [index, payload] of payloads.entries()) {
          const row = rowAfter(head, { epoch, payload, time: times[index]!, codec: index * 60, events: 1 + index * 7 })
          yield* journal.append(row)
          head = Chain.headOf(row)
          rows.push(row)
        }
        const found = yield* journal.read(ZONE, 0, 100, 100 * MIB)
        expectRows(found, rows)
        expectWhole(Chain.START, found)
      }))

    test("refuses the same first event twice: the row that was there stays", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const { epoch } = yield* journal.claim(ZONE, "a")
        const row = rowAfter(Chain.START, { epoch, payload: everyByte(10) })
        yield* journal.append(row)
        yield* expectFenced(journal.append(row), epoch)
        yield* expectFenced(journal.append(rowAfter(Chain.START, { epoch, payload: everyByte(20) })), epoch)
        expectRows(yield* journal.read(ZONE, 0, 10, MIB), [row])
      }))

    test("pages by any sequence, rows and bytes, starting within a row, with one row at least", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[1, 100], [4, 50], [1, 0], [3, 300], [1, 1], [2, 0], [5, 120]])
        const end = rows[rows.length - 1]!.last
        for (let sequence = 0; sequence <= end + 1; sequence++) {
          for (const rowsMax of [1, 2, 3, rows.length, 1000]) {
            for (const bytesMax of [1, 99, 100, 150, 300, 301, MIB]) {
              const page = yield* journal.read(ZONE, sequence, rowsMax, bytesMax)
              const expected = pageOf(rows, sequence, rowsMax, bytesMax)
              expect(firsts(page), `after ${sequence}, ${rowsMax} rows, ${bytesMax} bytes`).toEqual(firsts(expected))
            }
          }
        }
      }))

    test("gives nothing at the end, past it, and of a zone without rows", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        expect(yield* journal.read(ZONE, 0, 10, MIB)).toEqual([])
        const rows = yield* fill(journal, [[3, 10], [2, 10]])
        expect(yield* journal.read(ZONE, rows[1]!.last, 10, MIB)).toEqual([])
        expect(yield* journal.read(ZONE, rows[1]!.last + 1000, 10, MIB)).toEqual([])
        expect(yield* journal.read(ZONE + 1, 0, 10, MIB)).toEqual([])
      }))

    test("shows a reader that follows a writer every row, in order and without a gap", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const { epoch } = yield* journal.claim(ZONE, "a")
        const appends = 60
        const write = Effect.gen(function*() {
          for (let head = Chain.START, n = 0; n < appends; n++) {
            const row = rowAfter(head, { epoch, events: 1 + n % 3, payload: everyByte(n) })
            yield* journal.append(row)
            head = Chain.headOf(row)
            yield* Effect.yieldNow()
          }
        })
        const follow = Effect.gen(function*() {
          let head = Chain.START
          for (let seen = 0; seen < appends;) {
            const page = yield* journal.read(ZONE, head.sequence, 7, MIB)
            head = expectWhole(head, page)
            seen += page.length
            yield* Effect.yieldNow()
          }
          return head
        })
        const [, head] = yield* Effect.all([write, follow], { concurrency: "unbounded" })
        expectHead(yield* journal.head(ZONE), head)
      }))

    test("keeps zones apart", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const mine = yield* fill(journal, [[2, 10], [2, 10]], ZONE)
        const other = yield* fill(journal, [[2, 20]], ZONE + 1)
        yield* journal.claim(ZONE + 1, "b")
        yield* journal.addSnapshot(snapshotAt(mine[1]!))
        const next = rowAfter(Chain.headOf(mine[1]!), { epoch: 1 })
        yield* journal.append(next)
        expectRows(yield* journal.read(ZONE, 0, 10, MIB), [...mine, next])
        expectRows(yield* journal.read(ZONE + 1, 0, 10, MIB), other)
        expectHead(yield* journal.head(ZONE + 1), Chain.headOf(other[0]!))
        expectHead(yield* journal.head(ZONE), Chain.headOf(next))
        expect(yield* journal.sequenceAt(ZONE + 1, 2 ** 33, 0)).toBe(2)
        expect(yield* journal.snapshots(ZONE + 1)).toEqual([])
        yield* journal.removeSnapshot(ZONE + 1, mine[1]!.last)
        expect(yield* journal.snapshots(ZONE)).toHaveLength(1)
      }))

    test("tells the last event at or before any time", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        expect(yield* journal.sequenceAt(ZONE, 100, 0)).toBe(0)
        const { epoch } = yield* journal.claim(ZONE, "a")
        let head = Chain.START
        for (const [seconds, nanos] of [[100, 5], [100, 900], [101, 0], [101, 0], [101, 0], [200, 1]] as const) {
          const row = rowAfter(head, { epoch, events: 10, time: { seconds, nanos } })
          yield* journal.append(row)
          head = Chain.headOf(row)
        }
        const expected = [
          [0, 0, 0],
          [99, 999_999_999, 0],
          [100, 4, 0],
          [100, 5, 10],
          [100, 6, 10],
          [100, 899, 10],
          [100, 900, 20],
          [100, 999_999_999, 20],
          [101, 0, 50],
          [101, 1, 50],
          [199, 0, 50],
          [200, 0, 50],
          [200, 1, 60],
          [2 ** 40, 0, 60]
        ] as const
        for (const [seconds, nanos, sequence] of expected) {
          expect(yield* journal.sequenceAt(ZONE, seconds, nanos), `at ${seconds}.${nanos}`).toBe(sequence)
        }
      }))

    test("lists snapshots newest first, whatever the order they were added in", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        expect(yield* journal.snapshots(ZONE)).toEqual([])
        const rows = yield* fill(journal, [[9, 1], [1, 1], [90, 1]])
        const records = rows.map((row, index) => snapshotAt(row, { bytes: 2 ** 40 + index }))
        for (const index of [1, 2, 0]) yield* journal.addSnapshot(records[index]!)
        expectSnapshots(yield* journal.snapshots(ZONE), records.toReversed())
      }))

    test("replaces a snapshot at the same event, and forgets one that is removed", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const [first, second] = yield* fill(journal, [[4, 1], [4, 1]])
        yield* journal.addSnapshot(snapshotAt(first!))
        yield* journal.addSnapshot(snapshotAt(second!))
        const replaced = snapshotAt(first!, { bytes: 1, digest: new Uint8Array(32).fill(9) })
        yield* journal.addSnapshot(replaced)
        expectSnapshots(yield* journal.snapshots(ZONE), [snapshotAt(second!), replaced])
        yield* journal.removeSnapshot(ZONE, second!.last)
        yield* journal.removeSnapshot(ZONE, second!.last)
        yield* journal.removeSnapshot(ZONE, 1)
        expectSnapshots(yield* journal.snapshots(ZONE), [replaced])
      }))

    test("records segments without gaps, and finds them by events and by times", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[4, 10], [4, 10], [4, 10], [4, 10]])
        const first = segmentOf(rows.slice(0, 2))
        const second = segmentOf(rows.slice(2, 3), { bytes: 2 ** 40 })
        expect(yield* journal.segmentAt(ZONE, 1000)).toBeUndefined()
        expect(yield* journal.segmentAtTime(ZONE, 2 ** 40, 0)).toBeUndefined()
        expect(yield* journal.addSegment(second)).toBe(false)
        expect(yield* journal.addSegment(first)).toBe(true)
        // Again, as whoever did not hear of it does, and by one that cut elsewhere.
        for (const again of [first, segmentOf(rows.slice(0, 1)), segmentOf(rows.slice(1, 3))]) {
          expect(yield* journal.addSegment(again)).toBe(false)
        }
        expect(yield* journal.addSegment(second)).toBe(true)
        const found = [[0, undefined], [1, first], [8, first], [9, second], [12, second], [2 ** 50, second]] as const
        for (const [sequence, expected] of found) {
          expectSegment(yield* journal.segmentAt(ZONE, sequence), expected)
        }
        const { nanos, seconds } = second.begins
        expectSegment(yield* journal.segmentAtTime(ZONE, seconds, nanos), second)
        expectSegment(yield* journal.segmentAtTime(ZONE, seconds, nanos - 1), first)
        expectSegment(yield* journal.segmentAtTime(ZONE, seconds - 1, 999_999_999), first)
        expect(yield* journal.segmentAtTime(ZONE, first.begins.seconds, 0)).toBeUndefined()
        expect(yield* journal.segmentAt(ZONE + 1, 12)).toBeUndefined()
      }))

    test("measures what follows an event, up to a number of rows", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        expect(yield* journal.measure(ZONE, 0, 10)).toEqual({ rows: 0, bytes: 0 })
        yield* fill(journal, [[2, 10], [1, 0], [3, 500]])
        expect(yield* journal.measure(ZONE, 0, 10)).toEqual({ rows: 3, bytes: 510 })
        expect(yield* journal.measure(ZONE, 0, 2)).toEqual({ rows: 2, bytes: 10 })
        expect(yield* journal.measure(ZONE, 2, 10)).toEqual({ rows: 2, bytes: 500 })
        expect(yield* journal.measure(ZONE, 6, 10)).toEqual({ rows: 0, bytes: 0 })
      }))

    test("lets only rows go that are archived as they are, old enough, before the newest snapshots, and not the last", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[1, 10], [1, 10], [1, 10], [1, 10]])
        const late = [2 ** 40, 0] as const
        const stay = (seconds: number = late[0], nanos: number = late[1]) =>
          Effect.gen(function*() {
            expect(yield* journal.removeArchived(ZONE, seconds, nanos)).toBe(0)
            expectRows(yield* journal.read(ZONE, 0, 10, MIB), rows)
          })
        yield* journal.addSnapshot(snapshotAt(rows[3]!))
        yield* stay()
        yield* journal.addSegment(segmentOf(rows.slice(0, 2)))
        yield* journal.addSnapshot(snapshotAt(rows[0]!))
        yield* stay()
        yield* journal.removeSnapshot(ZONE, rows[0]!.last)
        const { nanos, seconds } = rows[1]!.time
        yield* stay(seconds, nanos - 1)
        yield* journal.removeSnapshot(ZONE, rows[3]!.last)
        yield* stay()
        yield* journal.addSnapshot(snapshotAt(rows[3]!))
        expect(yield* journal.removeArchived(ZONE + 1, ...late)).toBe(0)
        expect(yield* journal.removeArchived(ZONE, seconds, nanos)).toBe(2)
        expect(yield* journal.removeArchived(ZONE, ...late)).toBe(0)
        // The last row is archived, too; it stays, and so does its segment.
        yield* journal.addSegment(segmentOf(rows.slice(2)))
        expect(yield* journal.removeArchived(ZONE, ...late)).toBe(0)
        expectHead(yield* journal.head(ZONE), Chain.headOf(rows[3]!))
        expectHead((yield* journal.claim(ZONE, "next")).head, Chain.headOf(rows[3]!))
        expectRows(yield* journal.read(ZONE, 2, 10, MIB), rows.slice(2))
        // Once there is another, they go, one segment at a time.
        const next = rowAfter(Chain.headOf(rows[3]!), { epoch: 2 })
        yield* journal.append(next)
        expect(yield* journal.removeArchived(ZONE, ...late)).toBe(2)
        expectRows(yield* journal.read(ZONE, 4, 10, MIB), [next])
      }))

    test("lets rows go that are behind older snapshots than the two newest", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[1, 10], [1, 10], [1, 10], [1, 10]])
        yield* journal.addSegment(segmentOf(rows.slice(0, 2)))
        for (const row of [rows[3]!, rows[0]!]) yield* journal.addSnapshot(snapshotAt(row))
        expect(yield* journal.removeArchived(ZONE, 2 ** 40, 0)).toBe(0)
        yield* journal.addSnapshot(snapshotAt(rows[2]!))
        expect(yield* journal.removeArchived(ZONE, 2 ** 40, 0)).toBe(2)
        expectRows(yield* journal.read(ZONE, 2, 10, MIB), rows.slice(2))
      }))

    test("keeps rows whose segment was recorded with another hash", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[1, 10], [1, 10], [1, 10]])
        yield* journal.addSnapshot(snapshotAt(rows[2]!))
        const head = { sequence: rows[1]!.last, hash: everyByte(32) }
        yield* journal.addSegment(segmentOf(rows.slice(0, 2), { head }))
        expect(yield* journal.removeArchived(ZONE, 2 ** 40, 0)).toBe(0)
        expectRows(yield* journal.read(ZONE, 0, 10, MIB), rows)
      }))

    test("gives no page where the next event's row has left, rather than a later one", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const rows = yield* fill(journal, [[2, 10], [2, 10], [2, 10]])
        yield* journal.addSnapshot(snapshotAt(rows[2]!))
        yield* journal.addSegment(segmentOf(rows.slice(0, 2)))
        expect(yield* journal.removeArchived(ZONE, 2 ** 40, 0)).toBe(2)
        for (const sequence of [0, 1, 2, 3]) expect(yield* journal.read(ZONE, sequence, 10, MIB)).toEqual([])
        expectRows(yield* journal.read(ZONE, 4, 10, MIB), [rows[2]!])
        const { nanos, seconds } = rows[2]!.time
        expect(yield* journal.sequenceAt(ZONE, seconds, nanos)).toBe(6)
        expect(yield* journal.sequenceAt(ZONE, seconds, nanos - 1)).toBe(0)
      }))

    test("records no snapshot of an epoch that is over, or that nobody has claimed", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const [first, second] = yield* fill(journal, [[4, 1], [4, 1]])
        const kept = snapshotAt(first!)
        yield* journal.addSnapshot(kept)
        const { epoch } = yield* journal.claim(ZONE, "next")
        for (const row of [first!, second!]) {
          yield* expectFenced(journal.addSnapshot(snapshotAt(row, { bytes: 1 })), epoch - 1)
          yield* expectFenced(journal.addSnapshot(snapshotAt(row, { epoch: epoch + 1 })), epoch + 1)
        }
        yield* expectFenced(journal.addSnapshot({ ...kept, zone: ZONE + 1 }), kept.epoch, ZONE + 1)
        expectSnapshots(yield* journal.snapshots(ZONE), [kept])
        const replaced = snapshotAt(first!, { epoch })
        yield* journal.addSnapshot(replaced)
        expectSnapshots(yield* journal.snapshots(ZONE), [replaced])
      }))

    test("answers each of many zones that append at once for itself", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const zones = Array.from({ length: MANY }, (_, zone) => zone)
        const kinds = ["kept", "fenced", "doubled"] as const
        const written = yield* Effect.forEach(zones, (zone) =>
          Effect.gen(function*() {
            const { epoch } = yield* journal.claim(zone, "a")
            const first = rowAfter(Chain.START, { zone, epoch })
            yield* journal.append(first)
            const kind = kinds[zone % 7] ?? "kept"
            if (kind === "fenced") yield* journal.claim(zone, "b")
            const row = kind === "doubled" ? first : rowAfter(Chain.headOf(first), { zone, epoch })
            return { zone, kind, row, rows: kind === "kept" ? [first, row] : [first] }
          }))
        const outcomes = yield* Effect.forEach(written, ({ row }) => Effect.either(journal.append(row)), {
          concurrency: "unbounded"
        })
        for (const [zone, { kind, rows }] of written.entries()) {
          expect(Either.isRight(outcomes[zone]!), `zone ${zone}, ${kind}`).toBe(kind === "kept")
          if (Either.isLeft(outcomes[zone]!)) expect(outcomes[zone]!.left).toMatchObject({ _tag: "Fenced", zone })
          expectRows(yield* journal.read(zone, 0, 10, MIB), rows)
        }
      }))

    test("an append that races a claim is in the head that the claim gives, or it is fenced and nowhere", () =>
      Effect.gen(function*() {
        const journal = yield* fresh
        const races = Array.from({ length: RACERS }, (_, zone) => race(journal, zone))
        const outcomes = yield* Effect.all(races, { concurrency: "unbounded" })
        // Or it was no race.
        expect(new Set(outcomes.flat())).toEqual(new Set(["kept", "fenced"]))
      }))
  })

/** Rounds of an append against a claim, in both orders. What became of each append. */
const race = (journal: JournalService, zone: number) =>
  Effect.gen(function*() {
    const outcomes: Array<"kept" | "fenced"> = []
    let { epoch, head } = yield* journal.claim(zone, "first")
    for (let round = 0; round < ROUNDS; round++) {
      const row = rowAfter(head, { zone, epoch, payload: everyByte(round) })
      const append = Effect.either(journal.append(row))
      const claim = journal.claim(zone, `round ${round}`)
      const both = { concurrency: "unbounded" } as const
      const [appended, claimed] = round % 2 === 0
        ? yield* Effect.all([append, claim], both)
        : yield* Effect.map(Effect.all([claim, append], both), ([claimed, appended]) => [appended, claimed] as const)
      if (Either.isLeft(appended)) expect(appended.left).toMatchObject({ _tag: "Fenced", zone, epoch })
      expectHead(claimed.head, Either.isRight(appended) ? Chain.headOf(row) : head)
      expectHead(yield* journal.head(zone), claimed.head)
      outcomes.push(Either.isRight(appended) ? "kept" : "fenced")
      ;({ epoch, head } = claimed)
    }
    const rows = yield* journal.read(zone, 0, ROUNDS, MIB)
    expect(rows).toHaveLength(outcomes.filter((outcome) => outcome === "kept").length)
    expectWhole(Chain.START, rows)
    return outcomes
  })

interface RowOptions {
  readonly zone?: number
  readonly epoch: number
  readonly events?: number
  readonly time?: Chain.JournalRow["time"]
  readonly codec?: number
  readonly payload?: Uint8Array
}

/** A row that continues the chain. */
export const rowAfter = (head: Chain.ChainHead, options: RowOptions): Chain.JournalRow => {
  const { codec = 1, epoch, events = 1, payload = everyByte(100), zone = ZONE } = options
  const first = head.sequence + 1
  const time = options.time ?? { seconds: 1000 + first, nanos: first }
  const row = { zone, first, last: first + events - 1, epoch, time, codec, payload, previous: head.hash }
  return { ...row, hash: Chain.hashOf(row) }
}

/** Bytes of every value and in no order that repeats soon. */
export const everyByte = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => index < 256 ? index : (index * 31 + (index >> 8)) & 0xff)

/** Claims the zone and appends a row of so many events and so many bytes for each. */
const fill = (journal: JournalService, rows: ReadonlyArray<readonly [events: number, bytes: number]>, zone = ZONE) =>
  Effect.gen(function*() {
    const { epoch } = yield* journal.claim(zone, "filler")
    const appended: Array<Chain.JournalRow> = []
    let head = Chain.START
    for (const [events, bytes] of rows) {
      const row = rowAfter(head, { zone, epoch, events, payload: everyByte(bytes) })
      yield* journal.append(row)
      head = Chain.headOf(row)
      appended.push(row)
    }
    return appended
  })

/** The page that a read must give. */
const pageOf = (rows: ReadonlyArray<Chain.JournalRow>, sequence: number, rowsMax: number, bytesMax: number) => {
  const page: Array<Chain.JournalRow> = []
  let bytes = 0
  for (const row of rows.filter(({ last }) => last > sequence)) {
    if (page.length === rowsMax || (bytes > 0 && bytes + row.payload.length > bytesMax)) break
    page.push(row)
    bytes += row.payload.length
  }
  return page
}

const firsts = (rows: ReadonlyArray<Chain.JournalRow>) => rows.map(({ first }) => first)

export const snapshotAt = (row: Chain.JournalRow, given?: Partial<SnapshotRecord>): SnapshotRecord => ({
  zone: row.zone,
  head: Chain.headOf(row),
  epoch: row.epoch,
  bytes: 12_345_678_901,
  digest: everyByte(32),
  ...given
})

/** A record of the rows; what its object would be is nobody's concern here. */
const segmentOf = (rows: ReadonlyArray<Chain.JournalRow>, given?: Partial<SegmentRecord>): SegmentRecord => {
  const [first, last] = [rows[0]!, rows.at(-1)!]
  return {
    zone: first.zone,
    first: first.first,
    previous: first.previous,
    head: Chain.headOf(last),
    begins: first.time,
    ends: last.time,
    rows: rows.length,
    bytes: 1,
    digest: everyByte(32),
    ...given
  }
}

const expectSegment = (found: SegmentRecord | undefined, expected: SegmentRecord | undefined): void =>
  expect(found === undefined ? undefined : plainSegment(found)).toEqual(
    expected === undefined ? undefined : plainSegment(expected)
  )

const plainSegment = ({ digest, head, previous, ...record }: SegmentRecord) => ({
  ...record,
  head: plainHead(head),
  previous: hex(previous),
  digest: hex(digest)
})

const expectFenced = (append: Effect.Effect<void, Fenced | JournalUnavailable>, epoch: number, zone = ZONE) =>
  Effect.map(Effect.flip(append), (error) => expect(error).toMatchObject({ _tag: "Fenced", zone, epoch }))

export const expectHead = (found: Chain.ChainHead, expected: Chain.ChainHead): void =>
  expect(plainHead(found)).toEqual(plainHead(expected))

const plainHead = ({ hash, sequence }: Chain.ChainHead) => ({ sequence, hash: hex(hash) })

/** Fields and bytes are the same; how an implementation holds its bytes is its own affair. */
export const expectRows = (found: ReadonlyArray<Chain.JournalRow>, expected: ReadonlyArray<Chain.JournalRow>): void =>
  expect(found.map(plainRow)).toEqual(expected.map(plainRow))

const plainRow = ({ hash, payload, previous, ...row }: Chain.JournalRow) => ({
  ...row,
  hash: hex(hash),
  payload: hex(payload),
  previous: hex(previous)
})

const expectSnapshots = (found: ReadonlyArray<SnapshotRecord>, expected: ReadonlyArray<SnapshotRecord>): void =>
  expect(found.map(plainSnapshot)).toEqual(expected.map(plainSnapshot))

const plainSnapshot = ({ digest, head, ...record }: SnapshotRecord) => ({
  ...record,
  head: plainHead(head),
  digest: hex(digest)
})

/** Every row continues the chain. Where the chain stands after them. */
const expectWhole = (from: Chain.ChainHead, rows: ReadonlyArray<Chain.JournalRow>): Chain.ChainHead => {
  let head = from
  for (const row of rows) {
    expect(Chain.problemOf(head, row), `row ${row.first}`).toBeUndefined()
    head = Chain.headOf(row)
  }
  return head
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
