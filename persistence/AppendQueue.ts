/**
 * Rows that zones of one runner append at the same time share a transaction: it costs the database more than a row
 * does. One that comes alone is written at once. It decides when and which; how they are written is its maker's affair.
 */
import type { JournalRow } from "#persistence/Chain.ts"
import type { Fenced, JournalUnavailable } from "#persistence/Journal.ts"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import type * as Scope from "effect/Scope"

/** What became of a row. */
export type Appended = Effect.Effect<void, Fenced | JournalUnavailable>

/** Transactions under way at a time: one is flushed while the database prepares the other. */
const WRITES_MAX = 2
/** Rows, and bytes of their payloads unless it is a single one, of a transaction. */
export const ROWS_MAX = 16
const BYTES_MAX = 4 * 1024 * 1024

interface Waiting {
  readonly row: JournalRow
  readonly resume: (appended: Appended) => void
}

/** `write` tells of each row what became of it, in the order of the rows. A row that is given up before its turn is not written. */
export const make = (
  write: (rows: ReadonlyArray<JournalRow>) => Effect.Effect<ReadonlyArray<Appended>>
): Effect.Effect<(row: JournalRow) => Appended, never, Scope.Scope> =>
  Effect.gen(function*() {
    const fork = yield* FiberSet.makeRuntime()
    // Not more than the runner has zones: each awaits its row before it has another.
    const queue: Array<Waiting> = []
    let writes = 0

    const next = (): void => {
      if (writes === WRITES_MAX || queue.length === 0) return
      const taken = take(queue)
      fork(
        begin(taken.map(({ row }) => row)).pipe(
          Effect.matchCause({
            onSuccess: (outcomes) => taken.forEach(({ resume }, index) => resume(outcomes[index] as Appended)),
            onFailure: (cause) => taken.forEach(({ resume }) => resume(Effect.failCause(cause)))
          })
        )
      )
    }

    const ended = Effect.sync(() => {
      writes--
      next()
    })

    const begin = (rows: ReadonlyArray<JournalRow>) => {
      writes++
      return Effect.ensuring(write(rows), ended)
    }

    const wait = (row: JournalRow): Appended =>
      Effect.async((resume) => {
        const waiting = { row, resume }
        queue.push(waiting)
        next()
        return Effect.sync(() => {
          const place = queue.indexOf(waiting)
          if (place >= 0) queue.splice(place, 1)
        })
      })

    return (row) =>
      Effect.suspend(() => {
        if (writes === WRITES_MAX || queue.length > 0) return wait(row)
        // It goes at once, in whoever brings it: no fiber of its own.
        return Effect.uninterruptible(Effect.flatMap(begin([row]), ([appended]) => appended as Appended))
      })
  })

const take = (queue: Array<Waiting>): ReadonlyArray<Waiting> => {
  let bytes = 0
  const end = queue.findIndex(({ row }, index) => {
    bytes += row.payload.length
    return index === ROWS_MAX || (index > 0 && bytes > BYTES_MAX)
  })
  return queue.splice(0, end < 0 ? queue.length : end)
}
