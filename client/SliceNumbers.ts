/**
 * Slice numbers that a client has taken from a zone and not used yet. What is left over when it leaves is never
 * used: numbers are plenty.
 */
import { type ClientService } from "#client/Client.ts"
import type { PosixError, TransportError } from "#client/ClientError.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Effect from "effect/Effect"

const RESERVED_AT_ONCE = 256

export interface SliceNumbers {
  /** A number that nobody else has or will have. */
  readonly take: (zone: number) => Effect.Effect<number, PosixError | TransportError>
}

export const make = (client: ClientService): SliceNumbers => {
  const stocks = new Map<number, { next: number; left: number; readonly turn: Effect.Semaphore }>()
  return {
    take: (zone) =>
      Effect.suspend(() => {
        let stock = stocks.get(zone)
        if (stock === undefined) stocks.set(zone, stock = { next: 0, left: 0, turn: Effect.unsafeMakeSemaphore(1) })
        const held = stock
        return held.turn.withPermits(1)(Effect.gen(function*() {
          if (held.left === 0) {
            const inode = InodeNumber.rootOf(zone)
            const { count, first } = yield* client.call("reserveSlices", { inode, count: RESERVED_AT_ONCE })
            held.next = first
            held.left = count
          }
          held.left--
          return held.next++
        }))
      })
  }
}
