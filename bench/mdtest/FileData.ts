/** Files with bytes in them, for `-w`: the files of one request share a block, as small files of an upload do. */
import { ItemFailed } from "#bench/mdtest/Drive.ts"
import type { Ground } from "#bench/mdtest/Forest.ts"
import { asker, builderOf } from "#bench/mdtest/Phases.ts"
import type { ClientService } from "#client/Client.ts"
import type { ClientError } from "#client/ClientError.ts"
import * as FileReader from "#client/FileReader.ts"
import { dataError } from "#client/FileWriter.ts"
import { keyOf } from "#client/SliceData.ts"
import * as SliceNumbers from "#client/SliceNumbers.ts"
import type { Call } from "#client/ZoneLink.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { root } from "#domain/Credentials.ts"
import { Limits } from "#domain/Limits.ts"
import type { ReplyOf } from "#domain/Operations.ts"
import * as Effect from "effect/Effect"

/** Sends a request for some items of a zone; what is refused is among the outcomes. */
type Send = (
  ground: Ground,
  from: number,
  count: number
) => Effect.Effect<ReadonlyArray<Outcome>, ClientError | ItemFailed>

export interface FileData {
  /** Items that one request may hold. */
  readonly batchMax: number
  readonly create: Send
  readonly read: Send
}

/** `parentOf`: the directory of an item. */
export const make = (
  client: ClientService,
  task: number,
  bytes: number,
  parentOf: (ground: Ground, item: number) => number
): FileData => {
  const numbers = SliceNumbers.make(client)
  const reader = FileReader.make(client)
  const create = builderOf("fileCreation", task, false, root)
  const find = builderOf("fileRead", task, false, root)
  const write = asker("write", root)

  return {
    batchMax: Math.floor(Limits.blockBytesMax / bytes),
    create: (ground, from, count) =>
      Effect.gen(function*() {
        const slice = yield* numbers.take(ground.zone)
        const contents = Buffer.concat(Array.from({ length: count }, (_, n) => contentOf(from + n, bytes)))
        const key = keyOf(slice, 0, contents.length)
        yield* Effect.mapError(client.blocks.store(key, contents), dataError)
        const calls: Array<Call> = []
        for (let n = 0; n < count; n++) {
          create(calls, parentOf(ground, from + n), from + n)
          const piece = { length: bytes, slice, sliceOffset: n * bytes, sliceBytes: contents.length }
          // The inode that the command before it makes.
          calls.push(write({ inode: -1, handle: 0, offset: 0, append: false, pieces: [piece] }))
        }
        return yield* ground.link.send(calls)
      }),
    read: (ground, from, count) =>
      Effect.gen(function*() {
        const calls: Array<Call> = []
        for (let n = 0; n < count; n++) find(calls, parentOf(ground, from + n), from + n)
        const outcomes = yield* ground.link.send(calls)
        for (let n = 0; n < count; n++) {
          const outcome = outcomes[2 * n + 1]
          if (outcome?.errno !== 0) continue
          const { extents } = outcome.reply as ReplyOf<"readExtents">
          const pieces = yield* Effect.forEach(extents, reader.readShared)
          if (!Buffer.concat(pieces).equals(contentOf(from + n, bytes))) {
            return yield* new ItemFailed({
              message: `item ${from + n} of zone ${ground.zone} holds other bytes than it got`
            })
          }
        }
        return outcomes
      })
  }
}

/** Bytes that tell whose they are. */
const contentOf = (item: number, bytes: number): Buffer => Buffer.alloc(bytes, `${item},`)
