import * as LocalZones from "#actors/LocalZones.ts"
import type { Zone } from "#actors/Zone.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import * as MemoryBlockStore from "#persistence/blocks/MemoryBlockStore.ts"
import { Journal } from "#persistence/Journal.ts"
import * as MemoryJournal from "#persistence/MemoryJournal.ts"
import * as ApiHandlers from "#runners/ApiHandlers.ts"
import { Api } from "#shards/Api.ts"
import type { SubmitError } from "#shards/ZoneError.ts"
import { RunnerStorage } from "@effect/cluster/RunnerStorage"
import * as ShardId from "@effect/cluster/ShardId"
import { Sharding } from "@effect/cluster/Sharding"
import * as Socket from "@effect/platform/Socket"
import * as RpcTest from "@effect/rpc/RpcTest"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { describe, expect } from "vitest"

/** What a runner answers about zone 0, whose place it asks another runner for, which ends so. */
const located = (asked: Effect.Effect<never>) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* RpcTest.makeClient(Api)
    return yield* Effect.exit(client.Locate({ zone: 0 }))
  })).pipe(
    Effect.provide(ApiHandlers.layer({ id: "a cluster", zones: 1 }, { host: "here", port: 1 }, {
      pastMemoryBytes: 2 ** 20,
      historyRetention: undefined
    })),
    Effect.provide(Layer.mergeAll(
      LocalZones.layer,
      Layer.succeed(Journal, MemoryJournal.make().service),
      Layer.succeed(BlockStore, MemoryBlockStore.make().service),
      Layer.mock(RunnerStorage, {}),
      Layer.mock(Sharding, {
        getShardId: () => ShardId.make("default", 1),
        hasShardId: () => false,
        makeClient: (() => Effect.succeed(() => ({ Locate: () => asked }))) as never
      })
    ))
  )

describe("what a runner answers to its clients", () => {
  it.effect("is that a zone is not available when the connection to its runner breaks under the question", () =>
    Effect.gen(function*() {
      const broken = new Socket.SocketGenericError({ reason: "Write", cause: new Error("EPIPE") })
      const exit = yield* located(Effect.die(broken))
      expect(exit).toEqual(Exit.fail(expect.objectContaining({ _tag: "ZoneUnavailable", zone: 0 })))
    }))

  it.effect("is a defect when the program is wrong", () =>
    Effect.gen(function*() {
      const exit = yield* located(Effect.die(new Error("a bug")))
      expect(Exit.isFailure(exit) && exit.cause._tag).toBe("Die")
    }))
})

describe("messages from a connection", () => {
  const message = (zone: number) =>
    MessageCodec.encode({ zone, epoch: 1, session: 1, floor: 1, known: true, descriptor: undefined, commands: [] })
  const zoneThat = (receive: Zone["receive"]): Zone => ({
    number: 3,
    ready: Effect.succeed(1),
    receive,
    touch: () => Effect.void,
    report: () => Effect.never,
    committed: Stream.empty
  })
  const answerTo = (bytes: Uint8Array, zone: Zone) => {
    const answers: Array<Either.Either<Uint8Array, SubmitError>> = []
    ApiHandlers.receiving(new Map([[3, zone]]))(bytes, (answer) => void answers.push(answer))
    expect(answers).toHaveLength(1)
    return Either.merge(answers[0]!)
  }

  it("go to their zone, or are refused if that is elsewhere or they are none", () => {
    const echo = zoneThat((bytes, resume) => resume(Either.right(bytes)))
    expect(answerTo(message(3), echo)).toEqual(message(3))
    expect(answerTo(message(4), echo)).toMatchObject({ _tag: "NotOwner", zone: 4 })
    expect(answerTo(Uint8Array.of(200), echo)).toMatchObject({ _tag: "BadMessage" })
  })

  it("end no runner, whatever the program does wrong with one", () => {
    const wrong = zoneThat(() => {
      throw new Error("a defect")
    })
    expect(answerTo(message(3), wrong)).toMatchObject({ _tag: "ZoneDefect", zone: 3, reason: "Error: a defect" })
  })
})
