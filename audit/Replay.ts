/**
 * A zone as it was: its history replayed from the first event to a given one, every link checked.
 */
import * as JournalStream from "#audit/JournalStream.ts"
import type { ClientService } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import * as Batch from "#domain/Batch.ts"
import { Contradiction, ZoneState } from "#domain/state/ZoneState.ts"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

export interface Replayed {
  readonly state: ZoneState
  readonly rows: number
  /** Bytes of all payloads. */
  readonly bytes: number
}

/**
 * The zone's state after the command that event `until` belongs to, or at its end. `onRow` is told how far it is.
 */
export const replay = (
  client: ClientService,
  zone: number,
  until: number,
  onRow: (sequence: number) => void = () => undefined
): Effect.Effect<Replayed, JournalStream.HistoryBroken | TransportError> =>
  Effect.suspend(() => {
    const state = new ZoneState(zone)
    let rows = 0
    let bytes = 0
    return JournalStream.batches(client, zone).pipe(
      Stream.takeWhile(({ row }) => row.first <= until),
      Stream.runForEachChunk((page) => {
        const answered = floorsOf(page, until)
        return Effect.forEach(page, ({ batch, row }) => {
          rows++
          bytes += row.payload.length
          onRow(row.last)
          const part = Batch.upTo(batch, row.first, until)
          const last = part === batch ? row.last : row.first - 1 + Batch.eventCount(part)
          return applied(state, part, answered, row.first, last)
        }, { discard: true })
      }),
      Effect.map(() => ({ state, rows, bytes }))
    )
  })

/** The highest floors that the whole batches tell. */
const floorsOf = (page: Iterable<JournalStream.AuditedBatch>, until: number): ReadonlyMap<number, number> => {
  const highest = new Map<number, number>()
  for (const { batch, row } of page) {
    if (row.last > until) break
    Batch.noteFloors(batch.floors, highest)
  }
  return highest
}

const applied = (
  state: ZoneState,
  batch: Batch.Batch,
  answered: ReadonlyMap<number, number>,
  first: number,
  last: number
): Effect.Effect<void, JournalStream.HistoryBroken> =>
  Effect.suspend(() => {
    const broken = (sequence: number, reason: string): Effect.Effect<never, JournalStream.HistoryBroken> =>
      Effect.fail(new JournalStream.HistoryBroken({ zone: state.zone, sequence, reason }))
    try {
      Batch.apply(state, batch, answered)
    } catch (cause) {
      if (cause instanceof Contradiction) return broken(Math.max(first, cause.sequence), cause.message)
      throw cause
    }
    return state.sequence === last
      ? Effect.void
      : broken(first, `the row says it ends at ${last}, it ends at ${state.sequence}`)
  })
