/**
 * Whether a zone's history is what was written, and leads to the state that the zone lives with: the chain is
 * recomputed, every event replayed, and the digest of the result compared with the live one.
 */
import { HistoryBroken } from "#audit/JournalStream.ts"
import { replay } from "#audit/Replay.ts"
import type { ClientService } from "#client/Client.ts"
import type { TransportError } from "#client/ClientError.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"

export interface Verdict {
  readonly zone: number
  /** Last event that was checked. */
  readonly sequence: number
  readonly rows: number
  readonly journalBytes: number
  readonly inodes: number
  /** SHA-256 of the replayed state; undefined where the history is broken. */
  readonly digest: Uint8Array | undefined
  /** What is wrong, and from which event on; undefined if nothing is. */
  readonly problem: { readonly sequence: number; readonly reason: string } | undefined
  /** Why the live state was not compared, if it was not. */
  readonly notCompared: string | undefined
}

export const verify = (
  client: ClientService,
  zone: number,
  onRow: (sequence: number) => void
): Effect.Effect<Verdict, TransportError> =>
  Effect.gen(function*() {
    const link = yield* client.zone(zone)
    const live = yield* Effect.either(link.ask((runner) => runner.Status({ zone, digest: true })))
    const until = live._tag === "Right" ? live.right.sequence : Number.MAX_SAFE_INTEGER
    const replayed = yield* Effect.either(replay(client, zone, until, onRow))
    if (replayed._tag === "Left") {
      const error = replayed.left
      if (!(error instanceof HistoryBroken)) return yield* error
      const { reason, sequence } = error
      const none = { rows: 0, journalBytes: 0, inodes: 0, digest: undefined }
      return {
        zone,
        sequence: sequence - 1,
        ...none,
        problem: { sequence, reason },
        notCompared: "the history is broken"
      }
    }
    const { bytes, rows, state } = replayed.right
    const digest = digestOf(state)
    const found = { zone, sequence: state.sequence, rows, journalBytes: bytes, inodes: state.inodeCount, digest }
    if (live._tag === "Left") return { ...found, problem: undefined, notCompared: live.left.message }
    if (state.sequence < until) {
      const reason = `the zone has ${until} events, its journal ends at ${state.sequence}`
      return { ...found, problem: { sequence: state.sequence + 1, reason }, notCompared: undefined }
    }
    const equal = live.right.digest !== undefined && Buffer.compare(live.right.digest, digest) === 0
    const problem = equal
      ? undefined
      : { sequence: until, reason: "the replayed state is not the state that the zone lives with" }
    return { ...found, problem, notCompared: undefined }
  })

export const digestOf = (state: ZoneState): Uint8Array => {
  const hash = createHash("sha256")
  for (const run of StateCodec.encode(state)) hash.update(run)
  return hash.digest()
}
