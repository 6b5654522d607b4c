import { ChannelClient, type Receive, type Replies, serve } from "#shards/MessageChannel.ts"
import type { Wire } from "#shards/Network.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import { encode, Kind } from "#transport/Frame.ts"
import * as Either from "effect/Either"
import { describe, expect, it } from "vitest"

/** Two ends of a connection; what is sent arrives when it is carried, in pieces of so many bytes. */
class Pair {
  private readonly takers: [(bytes: Buffer) => void, (bytes: Buffer) => void] = [() => undefined, () => undefined]
  private readonly watchers: Array<() => void> = []
  private onItsWay: Array<readonly [to: 0 | 1, bytes: Buffer]> = []
  isOpen = true

  end(own: 0 | 1): Wire {
    return {
      send: (head, body) => {
        if (!this.isOpen) return false
        this.onItsWay.push([own === 0 ? 1 : 0, Buffer.concat(body === undefined ? [head] : [head, body])])
        return true
      },
      onBytes: (use) => void (this.takers[own] = use),
      onClose: (callback) => void this.watchers.push(callback),
      close: () => this.close()
    }
  }

  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.onItsWay = []
    for (const watcher of this.watchers) watcher()
  }

  carry(pieceBytes = 1 << 20): void {
    while (this.onItsWay.length > 0) {
      for (const [to, bytes] of this.onItsWay.splice(0)) {
        for (let at = 0; at < bytes.length; at += pieceBytes) this.takers[to](bytes.subarray(at, at + pieceBytes))
      }
    }
  }
}

const text = (bytes: string): Uint8Array => Buffer.from(bytes, "latin1")

/** A client's end, and a runner's that does as it is told. */
const channelTo = (receive: Receive) => {
  const pair = new Pair()
  const client = new ChannelClient(pair.end(0))
  serve(receive)(pair.end(1))
  const results = new Map<string, Replies | "cancelled">()
  const submit = (message: string) =>
    client.submit(text(message), (replies) => {
      expect(results.has(message)).toBe(false)
      results.set(message, replies)
    })
  const answerTo = (message: string): unknown => {
    const result = results.get(message)
    if (result === undefined || result === "cancelled") return result
    return Either.match(result, {
      onLeft: (error) => error,
      onRight: (bytes) => Buffer.from(bytes).toString("latin1")
    })
  }
  return { pair, client, submit, answerTo }
}

describe("a channel for messages", () => {
  it("gives each message its own replies, in whatever order they come, however the bytes are cut", () => {
    for (const pieceBytes of [1, 7, 32, 33, 1 << 20]) {
      const waiting: Array<() => void> = []
      const { answerTo, pair, submit } = channelTo((message, done) => {
        const answer = Either.right(text(`${Buffer.from(message).toString("latin1")}!`))
        waiting.unshift(() => done(answer))
      })
      const messages = ["a", "", "c".repeat(100_000)]
      for (const message of messages) submit(message)
      pair.carry(pieceBytes)
      expect(messages.map(answerTo)).toEqual([undefined, undefined, undefined])
      for (const answer of waiting) answer()
      pair.carry(pieceBytes)
      expect(messages.map(answerTo)).toEqual(messages.map((message) => `${message}!`))
    }
  })

  it("brings each reason why a zone does not take a message", () => {
    const zone = 7
    const reasons = [
      new ZoneError.NotOwner({ zone }),
      new ZoneError.StaleEpoch({ zone, epoch: 2 ** 40 }),
      new ZoneError.ZoneBusy({ zone, waiting: 4096 }),
      new ZoneError.ZoneUnavailable({ zone, reason: "ä\n\"" }),
      new ZoneError.ZoneDamaged({ zone, sequence: 5, reason: "x".repeat(10_000) }),
      new ZoneError.SessionLost({ zone, session: 2 ** 52 }),
      new ZoneError.BadMessage({ reason: "" }),
      new ZoneError.ZoneDefect({ zone, reason: "no" })
    ]
    const left = [...reasons]
    const { answerTo, pair, submit } = channelTo((_, done) => done(Either.left(left.shift()!)))
    for (const { _tag } of reasons) submit(_tag)
    pair.carry()
    expect(reasons.map(({ _tag }) => answerTo(_tag))).toEqual(reasons)
  })

  it("tells nobody who does not wait any more, and all others that it broke", () => {
    const late: Array<() => void> = []
    const { answerTo, pair, submit } = channelTo((message, done) => void late.push(() => done(Either.right(message))))
    submit("given up")()
    submit("waiting")
    pair.carry()
    late[0]?.()
    pair.carry()
    expect(answerTo("given up")).toBeUndefined()
    pair.close()
    expect(answerTo("waiting")).toMatchObject({ _tag: "ChannelBroken" })
    late[1]?.()
    submit("too late")
    expect(answerTo("too late")).toMatchObject({ _tag: "ChannelBroken" })
  })

  it("breaks on bytes that are none of its own, at either end", () => {
    const broken = (end: 0 | 1, bytes: Uint8Array) => {
      const { answerTo, pair, submit } = channelTo(() => undefined)
      submit("waiting")
      pair.carry()
      pair.end(end).send(bytes)
      pair.carry()
      expect(answerTo("waiting")).toMatchObject({ _tag: "ChannelBroken" })
      expect(pair.isOpen).toBe(false)
    }
    const message = encode({ kind: Kind.message, request: 1, data: text("message") })
    for (const end of [0, 1] as const) broken(end, Buffer.concat([message, text("another")]))
    for (const end of [0, 1] as const) broken(end, Buffer.alloc(4096, 1))
    // Nobody asks a zone for blocks.
    broken(0, encode({ kind: Kind.fetch, request: 1, text: "key" }))
  })

  it("tells one who is refused with what nobody knows, and goes on", () => {
    const { answerTo, pair, submit } = channelTo(() => undefined)
    submit("waiting")
    pair.carry()
    pair.end(1).send(encode({ kind: Kind.refusal, request: 1, data: text("{}") }), text("{}"))
    pair.carry()
    expect(answerTo("waiting")).toMatchObject({ _tag: "ChannelBroken", reason: expect.stringContaining("not known") })
    expect(pair.isOpen).toBe(true)
  })

  it("is dead when somebody waits and not even a question whether anybody is there is answered", () => {
    const { client, pair, submit } = channelTo(() => undefined)
    const looks = (count: number, carries: boolean) =>
      Array.from({ length: count }, () => {
        if (carries) pair.carry()
        return client.isAlive()
      })
    // Nobody waits: nothing is asked.
    expect(looks(5, false)).not.toContain(false)
    submit("waiting")
    // The runner answers that it is there, however long it takes.
    expect(looks(9, true)).not.toContain(false)
    expect(looks(3, false)).toContain(false)
  })
})
