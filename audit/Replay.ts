/**
 * A zone as it was: its history replayed from the first event to a given one, every link checked.
 */
import * as JournalStream from "#audit/JournalStream.ts"
import type { ClientService } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import * as Batch from "#domain/Batch.ts"
import { Contradiction, ZoneState } from "#domain/state/ZoneState.ts"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

export interface Replayed {
  readonly state: ZoneState
  readonly rows: number
  /** Bytes of all payloads. */
  readonly bytes: number
}

/** Brings the state past a batch, as `Batch.apply` does. */
export type Apply<E> = (
  state: ZoneState,
  batch: Batch.Batch,
  answered: ReadonlyMap<number, number>
) => Effect.Effect<void, E>

const plainly: Apply<never> = (state, batch, answered) => Effect.sync(() => Batch.apply(state, batch, answered))

/**
 * The zone's state after the command that event `until` belongs to, or at its end. `onRow` is told how far it is;
 * `apply` may look at what happens.
 */
export const replay = <E = never>(
  client: ClientService,
  zone: number,
  until: number,
  onRow: (sequence: number) => void = () => undefined,
  apply: Apply<E> = plainly
): Effect.Effect<Replayed, JournalStream.HistoryBroken | TransportError | E> =>
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
          return Effect.zipRight(
            applied(state, apply(state, part, answered), row.first),
            endsAt(state, row.first, last)
          )
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

/** What the journal contradicts is its own fault. */
const applied = <E>(
  state: ZoneState,
  applying: Effect.Effect<void, E>,
  first: number
): Effect.Effect<void, JournalStream.HistoryBroken | E> =>
  Effect.catchSomeDefect(applying, (defect) =>
    defect instanceof Contradiction
      ? Option.some(broken(state, Math.max(first, defect.sequence), defect.message))
      : Option.none())

const endsAt = (state: ZoneState, first: number, last: number): Effect.Effect<void, JournalStream.HistoryBroken> =>
  Effect.suspend(() =>
    state.sequence === last
      ? Effect.void
      : broken(state, first, `the row says it ends at ${last}, it ends at ${state.sequence}`)
  )

const broken = (
  { zone }: ZoneState,
  sequence: number,
  reason: string
): Effect.Effect<never, JournalStream.HistoryBroken> =>
  Effect.fail(new JournalStream.HistoryBroken({ zone, sequence, reason }))
