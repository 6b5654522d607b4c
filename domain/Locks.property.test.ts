import * as Locks from "#domain/Locks.ts"
import { seedsOf } from "#domain/testing/Seeds.ts"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"

const { runs } = seedsOf(process.env)

/** Bytes that the locks of these tests lie in; the last one stands for all that follow, to the end. */
const BYTES = 20

const lock: fc.Arbitrary<Locks.Lock> = fc.record({
  family: fc.constantFrom("posix", "flock"),
  type: fc.constantFrom("read", "write"),
  session: fc.integer({ min: 1, max: 2 }),
  owner: fc.integer({ min: 1, max: 2 }),
  pid: fc.constant(9),
  start: fc.nat({ max: BYTES - 1 }),
  end: fc.nat({ max: BYTES })
}).map(({ end, start, ...lock }) => ({ ...lock, start, end: end >= BYTES - 1 ? Locks.END : Math.max(start, end) }))

/** Who holds what, byte by byte. */
type Model = ReadonlyMap<string, ReadonlyArray<Locks.LockType | undefined>>

const ownerOf = ({ family, owner, session }: Locks.Lock): string => `${family} ${session}:${owner}`
const covers = ({ end, start }: Locks.Lock, byte: number): boolean => start <= byte && byte <= end

const changed = (model: Model, range: Locks.Lock, type: Locks.LockType | undefined): Model => {
  const before = model.get(ownerOf(range)) ?? []
  const after = Array.from({ length: BYTES }, (_, byte) => (covers(range, byte) ? type : before[byte]))
  return new Map([...model, [ownerOf(range), after]])
}

const modelOf = (locks: ReadonlyArray<Locks.Lock>): Model =>
  locks.reduce<Model>((model, lock) => changed(model, lock, lock.type), new Map())

const isEqual = (a: Model, b: Model): boolean =>
  [...a.keys(), ...b.keys()].every((owner) =>
    Array.from({ length: BYTES }, (_, byte) => byte).every((byte) => a.get(owner)?.[byte] === b.get(owner)?.[byte])
  )

const isFree = (model: Model, wanted: Locks.Lock): boolean =>
  [...model].every(([owner, bytes]) =>
    owner === ownerOf(wanted) || !owner.startsWith(wanted.family) ||
    bytes.every((type, byte) =>
      type === undefined || !covers(wanted, byte) || (type === "read" && wanted.type === "read")
    )
  )

/** One lock an owner and a run of bytes of one type; nothing overlaps, nothing that touches is two. */
const expectMerged = (locks: ReadonlyArray<Locks.Lock>): void => {
  for (const [index, a] of locks.entries()) {
    expect(a.start).toBeLessThanOrEqual(a.end)
    for (const b of locks.slice(index + 1).filter((b) => Locks.sameOwner(a, b))) {
      expect(Locks.overlaps(a, b)).toBe(false)
      expect(a.type === b.type && (a.end + 1 === b.start || b.end + 1 === a.start)).toBe(false)
    }
  }
}

const action = fc.record({ frees: fc.boolean(), lock })

/** Locks that may be held together, as granting whatever is free leaves them. */
const held = fc.array(lock, { maxLength: 12 }).map((wanted) =>
  wanted.reduce<ReadonlyArray<Locks.Lock>>(
    (locks, lock) => (Locks.firstConflict(locks, lock) === undefined ? Locks.add(locks, lock) : locks),
    []
  )
)

describe("the locks of an inode", () => {
  it("are after any changes what the same changes make byte by byte", () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 25 }), (actions) => {
        let locks: ReadonlyArray<Locks.Lock> = []
        let model: Model = new Map()
        for (const { frees, lock } of actions) {
          locks = frees ? Locks.remove(locks, lock) : Locks.add(locks, lock)
          model = changed(model, lock, frees ? undefined : lock.type)
          expectMerged(locks)
          expect(isEqual(modelOf(locks), model)).toBe(true)
        }
      }),
      runs(500)
    )
  })

  it("conflict where two owners share a byte that one of them writes", () => {
    fc.assert(
      fc.property(held, lock, (locks, wanted) => {
        const conflict = Locks.firstConflict(locks, wanted)
        expect(conflict === undefined).toBe(isFree(modelOf(locks), wanted))
        for (const lock of locks) expect(Locks.conflicts(wanted, lock)).toBe(Locks.conflicts(lock, wanted))
        expect(locks.find((lock) => Locks.conflicts(lock, wanted))).toBe(conflict)
      }),
      runs(500)
    )
  })

  it("are granted in turn, each free when its turn comes, until none of those left is", () => {
    fc.assert(
      fc.property(held, fc.array(lock, { maxLength: 8 }), (locks, wanted) => {
        const waiters = wanted.map((lock, request) => ({ ...lock, request }))
        const granted = Locks.grantable(locks, waiters)
        let model = modelOf(locks)
        for (const waiter of granted) {
          expect(isFree(model, waiter)).toBe(true)
          model = changed(model, waiter, waiter.type)
        }
        expect(new Set(granted).size).toBe(granted.length)
        for (const waiter of waiters.filter((waiter) => !granted.includes(waiter))) {
          expect(isFree(model, waiter)).toBe(false)
        }
      }),
      runs(500)
    )
  })

  it("are granted to the one who came first, if two could have one of them", () => {
    fc.assert(
      fc.property(held, lock, lock, (locks, first, second) => {
        const waiters = [{ ...first, request: 1 }, { ...second, request: 2 }]
        fc.pre(isFree(modelOf(locks), first))
        expect(Locks.grantable(locks, waiters)[0]?.request).toBe(1)
      }),
      runs(200)
    )
  })
})
