/**
 * Points of a zone's history as people name them on a command line: a time, an age, or the number of an event.
 */
import { type HistoryBroken, journalErrors } from "#audit/JournalStream.ts"
import { parseTime } from "#cli/Time.ts"
import { UsageError } from "#cli/UsageError.ts"
import type { ClientService } from "#client/Client.ts"
import { RequestRefused, type TransportError } from "#client/ClientError.ts"
import * as FileSystem from "#client/FileSystem.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import * as Effect from "effect/Effect"

/** The zone's last event at or before the moment; all there are for `now`. */
export const sequenceAt = (
  client: ClientService,
  zone: number,
  at: string
): Effect.Effect<number, UsageError | HistoryBroken | TransportError> =>
  Effect.gen(function*() {
    if (at === "now") return Number.MAX_SAFE_INTEGER
    if (/^[0-9]+$/.test(at)) return Number(at)
    const time = parseTime(at)
    if (time === undefined) {
      return yield* new UsageError({ message: `${at} is neither a time nor the number of an event` })
    }
    return yield* client.anyRunner((runner) => runner.SequenceAt({ zone, ...time })).pipe(
      Effect.catchTags(journalErrors)
    )
  })

/** The file system as it was at the moment, in each zone that a path leads to. */
export const fileSystemAt = (
  client: ClientService,
  at: string
): FileSystem.FileSystemService => {
  const sequences = new Map<number, number>()
  return FileSystem.make(client, (zone) =>
    Effect.gen(function*() {
      const sequence = sequences.get(zone) ?? (yield* sequenceAt(client, zone, at).pipe(
        Effect.catchTags({
          UsageError: ({ message: reason }) => Effect.fail(new RequestRefused({ reason })),
          HistoryBroken: ({ message: reason }) => Effect.fail(new RequestRefused({ reason }))
        })
      ))
      sequences.set(zone, sequence)
      const root = client.past.numberOf({ zone, sequence }, InodeNumber.rootOf(zone))
      if (sequence > 0 && root !== undefined) return root
      return yield* new RequestRefused({ reason: `zone ${zone} did not exist at ${at}` })
    }))
}
