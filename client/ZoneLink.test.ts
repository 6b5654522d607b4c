import { command } from "#client/Client.ts"
import type { RunnerClient, RunnerPool } from "#client/RunnerPool.ts"
import { ClientSession } from "#client/Session.ts"
import * as ZoneLink from "#client/ZoneLink.ts"
import * as Batch from "#domain/Batch.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { operations } from "#domain/Operations.ts"
import { ZoneLocation } from "#shards/Api.ts"
import type { MessageChannel } from "#shards/MessageChannel.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import { type Address, format } from "#transport/Connection.ts"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as TestClock from "effect/TestClock"
import { describe, expect } from "vitest"

const [a, b, c]: ReadonlyArray<Address> = [1, 2, 3].map((port) => ({ host: "runner", port }))
const DOUBT = Duration.millis(400)

interface FakeRunner {
  readonly locate: Effect.Effect<Address, ZoneError.ZoneUnavailable>
  readonly submit?: Effect.Effect<void, ZoneError.NotOwner>
}

/** A link over runners that a test plays; what it asked whom, in that order. */
const linkOver = (runners: ReadonlyArray<readonly [Address, FakeRunner]>) =>
  Effect.gen(function*() {
    const asked: Array<string> = []
    const note = (what: string, { port }: Address) => Effect.sync(() => void asked.push(`${what} ${port}`))
    const clients = new Map(runners.map(([address, { locate }]) => {
      const client = {
        Hello: () => Effect.void,
        Locate: () =>
          Effect.zipRight(
            note("locate", address),
            Effect.map(locate, ({ host, port }) => new ZoneLocation({ zone: 0, host, port, epoch: 1 }))
          )
      }
      return [format(address), client as unknown as RunnerClient] as const
    }))
    const channels = new Map(runners.map(([address, { submit = Effect.void }]) => {
      const channel: MessageChannel = {
        submit: (_, done) => {
          const answer = MessageCodec.encodeReplies([Batch.encodeReply(operations.testAccess, undefined)])
          const played = Effect.zipRight(note("submit", address), Effect.as(submit, answer))
          const fiber = Effect.runFork(Effect.map(Effect.either(Effect.zipRight(Effect.yieldNow(), played)), done))
          return () => fiber.unsafeInterruptAsFork(FiberId.none)
        }
      }
      return [format(address), channel] as const
    }))
    const isOpen = new Set<string>()
    const pool: RunnerPool = {
      get: (address) => Effect.succeed(clients.get(format(address))!),
      channel: (address) => isOpen.has(format(address)) ? channels.get(format(address)) : undefined,
      openChannel: (address) =>
        Effect.sync(() => {
          isOpen.add(format(address))
          return channels.get(format(address))!
        }),
      drop: (address) => Effect.sync(() => void asked.push(`drop ${address.port}`)),
      preferred: (addresses) => addresses
    }
    const session = new ClientSession(7, { client: "test", host: "here", user: "root", uid: 0, pid: 1 })
    const link = yield* ZoneLink.make({
      zone: 0,
      pool,
      seeds: () => runners.map(([address]) => address),
      session: () => session,
      onSessionLost: () => undefined,
      retryMillisMax: 60_000
    })
    const inode = InodeNumber.rootOf(0)
    const send = Effect.asVoid(link.send([{ ...command("testAccess", { inode, wanted: 0 }), who: root }]))
    return { asked, send }
  })

describe("a link to a zone", () => {
  it.scoped("goes where another runner says that the zone is by now, when its own says nothing", () =>
    Effect.gen(function*() {
      let place = a!
      const { asked, send } = yield* linkOver([
        [a!, { locate: Effect.succeed(a!), submit: Effect.never }],
        [b!, { locate: Effect.suspend(() => place === a ? Effect.never : Effect.succeed(place)) }]
      ])
      const sending = yield* Effect.fork(send)
      yield* TestClock.adjust(Duration.millis(1))
      place = b!
      yield* TestClock.adjust(DOUBT)
      yield* Fiber.join(sending)
      expect(asked).toEqual(["locate 1", "submit 1", "locate 2", "submit 2"])
    }))

  it.scoped("takes all that waits along, and asks for all of it once", () =>
    Effect.gen(function*() {
      const takenOver = yield* Effect.makeLatch(false)
      let place = a!
      const { asked, send } = yield* linkOver([
        [a!, { locate: Effect.succeed(a!), submit: Effect.never }],
        [b!, { locate: Effect.zipRight(takenOver.await, Effect.sync(() => place)) }]
      ])
      const first = yield* Effect.fork(send)
      yield* TestClock.adjust(Duration.millis(50))
      const second = yield* Effect.fork(send)
      yield* TestClock.adjust(Duration.millis(2500))
      place = b!
      yield* takenOver.open
      yield* TestClock.adjust(Duration.millis(1))
      yield* Fiber.joinAll([first, second])
      expect(asked).toEqual(["locate 1", "submit 1", "submit 1", "locate 2", "submit 2", "submit 2"])
    }))

  it.scoped("gives nothing up while the zone is where it was", () =>
    Effect.gen(function*() {
      const slow = yield* Effect.makeLatch(false)
      const { asked, send } = yield* linkOver([
        [a!, { locate: Effect.succeed(a!), submit: slow.await }],
        [b!, { locate: Effect.succeed(a!) }]
      ])
      const sending = yield* Effect.fork(send)
      yield* TestClock.adjust(Duration.millis(1500))
      expect(asked).toEqual(["locate 1", "submit 1", "locate 2", "locate 2"])
      yield* slow.open
      yield* Fiber.join(sending)
      expect(asked.filter((what) => what.startsWith("submit"))).toEqual(["submit 1"])
    }))

  it.scoped("asks a second runner where the zone is, when the first says nothing", () =>
    Effect.gen(function*() {
      const { asked, send } = yield* linkOver([
        [a!, { locate: Effect.never }],
        [b!, { locate: Effect.succeed(b!) }]
      ])
      const sending = yield* Effect.fork(send)
      yield* TestClock.adjust(DOUBT)
      yield* Fiber.join(sending)
      expect(asked).toEqual(["locate 1", "locate 2", "submit 2"])
    }))

  it.scoped("asks the second at once when the first cannot say", () =>
    Effect.gen(function*() {
      const { asked, send } = yield* linkOver([
        [a!, { locate: Effect.fail(new ZoneError.ZoneUnavailable({ zone: 0, reason: "no runner has it" })) }],
        [b!, { locate: Effect.succeed(b!) }]
      ])
      yield* send
      expect(asked).toEqual(["locate 1", "locate 2", "submit 2"])
    }))

  it.scoped("asks last the runner that does not have the zone any more", () =>
    Effect.gen(function*() {
      let place = a!
      const { asked, send } = yield* linkOver([
        [a!, {
          locate: Effect.sync(() => place),
          submit: Effect.suspend(() => {
            place = c!
            return new ZoneError.NotOwner({ zone: 0 })
          })
        }],
        [b!, { locate: Effect.sync(() => place) }],
        [c!, { locate: Effect.sync(() => place) }]
      ])
      const sending = yield* Effect.fork(send)
      yield* TestClock.adjust(Duration.millis(50))
      yield* Fiber.join(sending)
      expect(asked).toEqual(["locate 1", "submit 1", "locate 2", "submit 3"])
    }))
})
