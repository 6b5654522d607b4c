import * as Chain from "#persistence/Chain.ts"
import { everyByte, rowAfter } from "#persistence/Journal.contract.ts"
import { describe, expect, it } from "vitest"

const chainOf = (length: number): Array<Chain.JournalRow> => {
  const rows: Array<Chain.JournalRow> = []
  for (let head = Chain.START; rows.length < length;) {
    const row = rowAfter(head, { epoch: 3, events: 2, payload: everyByte(20) })
    rows.push(row)
    head = Chain.headOf(row)
  }
  return rows
}

/** What is wrong with the first row that is wrong. */
const problemIn = (rows: ReadonlyArray<Chain.JournalRow>): string | undefined => {
  let head = Chain.START
  for (const row of rows) {
    const problem = Chain.problemOf(head, row)
    if (problem !== undefined) return problem
    head = Chain.headOf(row)
  }
  return undefined
}

const flipped = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, index) => index === at ? byte ^ 1 : byte)

describe("the chain of a zone's rows", () => {
  it("finds nothing wrong with rows that follow each other", () => {
    expect(problemIn(chainOf(5))).toBeUndefined()
  })

  it("names the events of a row that is missing", () => {
    expect(problemIn(chainOf(5).toSpliced(2, 1))).toBe("events 5 to 6 are missing")
    expect(problemIn(chainOf(5).slice(1))).toBe("events 1 to 2 are missing")
  })

  it("finds rows that were swapped or doubled", () => {
    const [a, b, c] = chainOf(3)
    expect(problemIn([a!, c!, b!])).toContain("missing")
    expect(problemIn([a!, a!])).toBeDefined()
  })

  it("finds a row that was put in from another chain", () => {
    const [a, b, c] = chainOf(3)
    const foreign = rowAfter({ ...Chain.headOf(a!), hash: everyByte(32) }, { epoch: 3, events: 2 })
    expect(problemIn([a!, foreign, c!])).toBe("it does not name the hash of the row before it")
    const rewritten = rowAfter(Chain.headOf(a!), { epoch: 3, events: 2, payload: everyByte(21) })
    expect(problemIn([a!, rewritten])).toBeUndefined()
    expect(problemIn([a!, rewritten, c!])).toBe("it does not name the hash of the row before it")
    expect(problemIn([a!, b!, c!])).toBeUndefined()
  })

  it("finds a change of any field but those that say where the row stands", () => {
    const [a, row] = chainOf(2)
    const { time } = row!
    const changes: ReadonlyArray<Partial<Chain.JournalRow>> = [
      { zone: row!.zone + 1 },
      { last: row!.last + 1 },
      { epoch: row!.epoch + 1 },
      { epoch: row!.epoch + 2 ** 32 },
      { time: { ...time, seconds: time.seconds + 1 } },
      { time: { ...time, seconds: -time.seconds } },
      { time: { ...time, nanos: time.nanos + 1 } },
      { codec: row!.codec + 1 }
    ]
    for (const change of changes) {
      expect(problemIn([a!, { ...row!, ...change }]), `${JSON.stringify(change)}`).toBe(
        "its contents do not give its hash"
      )
    }
  })

  it("finds a flipped bit at every byte of the payload and of both hashes", () => {
    const [a, row] = chainOf(2)
    const { hash, payload, previous } = row!
    for (let at = 0; at < payload.length; at++) {
      expect(problemIn([a!, { ...row!, payload: flipped(payload, at) }])).toBe("its contents do not give its hash")
    }
    for (let at = 0; at < Chain.HASH_BYTES; at++) {
      expect(problemIn([a!, { ...row!, hash: flipped(hash, at) }])).toBe("its contents do not give its hash")
      expect(problemIn([a!, { ...row!, previous: flipped(previous, at) }])).toBe(
        "it does not name the hash of the row before it"
      )
    }
  })

  it("finds a payload or a hash that was cut or that grew", () => {
    const [a, row] = chainOf(2)
    const { hash, payload, previous } = row!
    const changes: ReadonlyArray<Partial<Chain.JournalRow>> = [
      { payload: payload.subarray(0, payload.length - 1) },
      { payload: payload.subarray(1) },
      { payload: new Uint8Array(0) },
      { payload: Buffer.concat([payload, Uint8Array.of(0)]) },
      { hash: hash.subarray(0, 31) },
      { hash: new Uint8Array(0) },
      { previous: previous.subarray(0, 31) },
      { previous: Buffer.concat([previous, Uint8Array.of(0)]) }
    ]
    for (const change of changes) expect(problemIn([a!, { ...row!, ...change }])).toBeDefined()
  })

  it("refuses a row of no event, and one of more events than any batch holds", () => {
    expect(Chain.problemOf(Chain.START, rowAfter(Chain.START, { epoch: 1, events: 0 }))).toBe(
      "the row ends (0) before it begins (1)"
    )
    expect(Chain.problemOf(Chain.START, rowAfter(Chain.START, { epoch: 1, events: 2 ** 40 }))).toBe(
      "the row claims more events than a batch holds"
    )
  })

  it("begins with 32 zero bytes", () => {
    expect(Chain.START).toEqual({ sequence: 0, hash: new Uint8Array(32) })
  })

  it("gives the hash that rows of the past were written with", () => {
    const row = rowAfter(Chain.START, {
      zone: 1023,
      epoch: 2 ** 40,
      events: 3,
      time: { seconds: 1_700_000_000, nanos: 999_999_999 },
      codec: 255,
      payload: everyByte(256)
    })
    expect(Buffer.from(row.hash).toString("hex")).toBe(
      "a8c9ba88dd2fdaa443fd9bb9f9b68003bc97f9d461d29a9cb29e91b032cde9fa"
    )
  })
})
