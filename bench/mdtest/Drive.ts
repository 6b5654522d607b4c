/**
 * The callers of a task: each sends a request, waits for its reply, and takes the next. They share what the machine
 * has with those they measure, so a request costs them one fiber's step and no object more than the client asks for.
 */
import type { Histogram } from "#bench/mdtest/Histogram.ts"
import type { ZoneLink } from "#client/ZoneLink.ts"
import type { Outcome } from "#domain/codec/MessageCodec.ts"
import { nameOf, textOf } from "#domain/Errno.ts"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A zone refused what must succeed. */
export class ItemFailed extends Data.TaggedError("ItemFailed")<{ readonly message: string }> {}

/** Items by their numbers, from 0, in one zone. */
export interface DrivenLane {
  readonly zone: number
  readonly link: ZoneLink
  readonly items: number
}

export interface Work<Lane extends DrivenLane, E> {
  readonly lanes: ReadonlyArray<Lane>
  readonly callers: number
  /** Items of a request. */
  readonly batch: number
  /** Sends a request and gives what came of its commands. */
  readonly send: (lane: Lane, from: number, count: number) => Effect.Effect<ReadonlyArray<Outcome>, E>
  readonly onOutcomes?: (lane: Lane, from: number, outcomes: ReadonlyArray<Outcome>) => void
}

export interface Meter {
  readonly latencies: Histogram
  items: number
}

/** Does all of it; requests go round the zones in turns, so that none waits for another. */
export const drive = <Lane extends DrivenLane, E>(
  { batch, callers, lanes, onOutcomes, send }: Work<Lane, E>,
  meter: Meter
): Effect.Effect<void, E | ItemFailed> => {
  const most = lanes.reduce((sum, { items }) => Math.max(sum, items), 0)
  const requests = Math.ceil(most / batch) * lanes.length
  let next = 0
  let failed: ItemFailed | undefined

  const caller = Effect.suspend(() => {
    let lane = lanes[0] as Lane
    let from = 0
    let count = 0
    let sent = 0
    /** Takes the next request, and tells whether there is one. */
    const take = (): boolean => {
      if (failed !== undefined) return false
      while (next < requests) {
        const request = next++
        lane = lanes[request % lanes.length] as Lane
        from = Math.floor(request / lanes.length) * batch
        count = Math.min(batch, lane.items - from)
        if (count > 0) return true
      }
      return false
    }
    return Effect.whileLoop({
      while: take,
      body: () => {
        sent = performance.now()
        return send(lane, from, count)
      },
      step: (outcomes) => {
        meter.latencies.add((performance.now() - sent) * 1000, count)
        meter.items += count
        for (let at = 0; at < outcomes.length; at++) {
          const { errno } = outcomes[at] as Outcome
          if (errno !== 0) failed ??= problemOf(errno, lane.zone, from + Math.floor((at * count) / outcomes.length))
        }
        onOutcomes?.(lane, from, outcomes)
      }
    })
  })

  return Effect.all(Array.from({ length: Math.min(callers, requests) }, () => caller), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.zipRight(Effect.suspend(() => failed === undefined ? Effect.void : Effect.fail(failed))))
}

const problemOf = (errno: number, zone: number, item: number): ItemFailed =>
  new ItemFailed({ message: `item ${item} of zone ${zone}: ${textOf(errno)} (${nameOf(errno)})` })
