/** Remembers what a zone's state was at an event, and later asks history for it: it must be the same, bit for bit. */
import { replay } from "#audit/Replay.ts"
import { digestOf } from "#audit/Verify.ts"
import type { Workload } from "#simulations/workloads/Hands.ts"
import * as Effect from "effect/Effect"

const REMEMBERED_MAX = 32

export const timeTravel: Workload = ({ client, complain, dice, known }) =>
  Effect.gen(function*() {
    const { moments } = known
    const zone = dice.below(client.info.zones)
    if (moments.length === 0 || dice.chance(50)) {
      const link = yield* client.zone(zone)
      const { digest, sequence } = yield* link.ask((runner) => runner.Status({ zone, digest: true }))
      if (digest !== undefined) moments.push({ zone, sequence, digest })
      if (moments.length > REMEMBERED_MAX) moments.shift()
      return
    }
    const moment = dice.of(moments)
    const { state } = yield* replay(client, moment.zone, moment.sequence, () => undefined)
    if (Buffer.compare(digestOf(state), moment.digest) === 0) return
    complain(`zone ${moment.zone} was another at event ${moment.sequence} than its history says`)
  }).pipe(
    Effect.catchTag("HistoryBroken", (error) => Effect.sync(() => complain(error.message))),
    Effect.ignore
  )
