/**
 * How a runner answers its clients (`shards/Api`). It decides nothing itself: zones decide, the journal remembers.
 */
import { LocalZones } from "#actors/LocalZones.ts"
import * as PastZones from "#actors/PastZones.ts"
import type { Zone } from "#actors/Zone.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import { BlockStore } from "#persistence/blocks/BlockStore.ts"
import type { JournalRow } from "#persistence/Chain.ts"
import type { ClusterRecord } from "#persistence/ClusterRecord.ts"
import { type HistoryDamaged, Journal, type JournalUnavailable } from "#persistence/Journal.ts"
import { VERSION } from "#runners/Version.ts"
import { Api, ClusterInfo, JournalRowWire, RunnerStatus, RunnerUnavailable, ZoneStatus } from "#shards/Api.ts"
import type { Receive } from "#shards/MessageChannel.ts"
import { GROUP, idOf, ZoneEntity } from "#shards/ZoneEntity.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import type { Address } from "#transport/Connection.ts"
import * as EntityId from "@effect/cluster/EntityId"
import { RunnerStorage } from "@effect/cluster/RunnerStorage"
import { Sharding } from "@effect/cluster/Sharding"
import * as Socket from "@effect/platform/Socket"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/** How long a caller waits for the cluster to find a zone a home. */
const LOCATE_TIME_MAX = Duration.seconds(8)
const JOURNAL_ROWS_MAX = 1024
const JOURNAL_BYTES_MAX = 8 * 1024 * 1024

export interface ApiOptions {
  /** Bytes that pages of zones as they were may take in memory. */
  readonly pastMemoryBytes: number
  /** How old the history may get that still keeps blocks; undefined: for ever. */
  readonly historyRetention: Duration.Duration | undefined
}

export const layer = (
  cluster: ClusterRecord,
  address: Address,
  { historyRetention, pastMemoryBytes }: ApiOptions
) =>
  Api.toLayer(Effect.gen(function*() {
    const zones = yield* LocalZones
    const journal = yield* Journal
    const store = yield* BlockStore
    const past = yield* PastZones.make(pastMemoryBytes)
    const storage = yield* RunnerStorage
    const sharding = yield* Sharding
    const entity = yield* sharding.makeClient(ZoneEntity)
    const shardOf = (id: string): number => sharding.getShardId(EntityId.make(id), GROUP).id
    const ids = new Map<number, string>()
    const entityOf = (zone: number) => {
      let id = ids.get(zone)
      if (id === undefined) ids.set(zone, id = idOf(zone, shardOf))
      return entity(id)
    }

    const unavailable = (zone: number, reason: string) => new ZoneError.ZoneUnavailable({ zone, reason })
    const checked = (zone: number) =>
      Number.isInteger(zone) && zone >= 0 && zone < cluster.zones
        ? Effect.void
        : Effect.fail(unavailable(zone, `the cluster has zones 0 to ${cluster.zones - 1}`))
    const local = (zone: number) => {
      const found = zones.get(zone)
      return found === undefined ? Effect.fail(new ZoneError.NotOwner({ zone })) : Effect.succeed(found)
    }
    const orUnavailable = <A, E extends { readonly message: string }>(effect: Effect.Effect<A, E>) =>
      Effect.mapError(effect, ({ message }) => new RunnerUnavailable({ reason: message }))

    return {
      Hello: () =>
        Effect.succeed(
          new ClusterInfo({
            cluster: cluster.id,
            zones: cluster.zones,
            version: VERSION,
            blockStore: store.description,
            historyRetentionDays: historyRetention === undefined ? undefined : Duration.toDays(historyRetention)
          })
        ),

      Locate: ({ zone }) =>
        Effect.zipRight(checked(zone), entityOf(zone).Locate()).pipe(
          Effect.catchTags({
            MailboxFull: () => Effect.fail(unavailable(zone, "too many ask where it is")),
            AlreadyProcessingMessage: () => Effect.fail(unavailable(zone, "the question where it is was asked twice")),
            PersistenceError: () => Effect.fail(unavailable(zone, "the cluster's storage does not answer"))
          }),
          // The rpc client takes a write that fails for a defect, and a defect would end the client that asks.
          Effect.catchSomeDefect((defect) =>
            Socket.isSocketError(defect)
              ? Option.some(Effect.fail(unavailable(zone, "the connection to its runner broke")))
              : Option.none()
          ),
          Effect.timeoutFail({
            duration: LOCATE_TIME_MAX,
            onTimeout: () => unavailable(zone, "no runner has it yet")
          })
        ),

      SubmitPast: ({ message, sequence }) =>
        Effect.flatMap(
          headerOf(message),
          ({ zone }) => Effect.zipRight(checked(zone), past.submit(zone, sequence, message))
        ),

      Heartbeat: ({ session, zones: wanted }) =>
        Effect.gen(function*() {
          const missing: Array<number> = []
          for (const zone of wanted) {
            const found = zones.get(zone)
            if (found === undefined) missing.push(zone)
            else yield* found.touch(session)
          }
          return missing
        }),

      Status: ({ digest, zone }) =>
        Effect.flatMap(
          local(zone),
          (found) => Effect.map(found.report(digest), (report) => new ZoneStatus({ zone, ...report }))
        ),

      Runners: () =>
        orUnavailable(Effect.map(storage.getRunners, (runners) =>
          runners.map(([runner, healthy]) => {
            const { host, port } = runner.address
            const self = host === address.host && port === address.port
            return new RunnerStatus({ host, port, healthy, zones: self ? [...zones.keys()].sort((a, b) => a - b) : [] })
          }))),

      ReadJournal: ({ after, rowsMax, zone }) =>
        fromJournal(Effect.map(
          journal.read(zone, after, Math.min(rowsMax, JOURNAL_ROWS_MAX), JOURNAL_BYTES_MAX),
          (rows) => rows.map(toWire)
        )),

      SequenceAt: ({ nanos, seconds, zone }) => fromJournal(journal.sequenceAt(zone, seconds, nanos)),

      Follow: ({ zone }) => Stream.unwrap(Effect.map(local(zone), (found) => found.committed))
    }
  }))

/** Whoever asks is told damage from what may pass. */
const fromJournal = <A>(effect: Effect.Effect<A, JournalUnavailable | HistoryDamaged>) =>
  Effect.mapError(effect, (error) =>
    error._tag === "HistoryDamaged"
      ? new ZoneError.ZoneDamaged({ zone: error.zone, sequence: error.first, reason: error.reason })
      : new RunnerUnavailable({ reason: error.message }))

/** Hands packed messages to the zones of this process. */
export const receiving = (zones: ReadonlyMap<number, Zone>): Receive => (message, done) => {
  const header = headerOf(message)
  if (Either.isLeft(header)) return done(Either.left(header.left))
  const { zone } = header.right
  const found = zones.get(zone)
  if (found === undefined) return done(Either.left(new ZoneError.NotOwner({ zone })))
  try {
    found.receive(message, done)
  } catch (cause) {
    // It came from a socket: nobody above would catch it, and all other zones would end with this runner.
    done(Either.left(new ZoneError.ZoneDefect({ zone, reason: String(cause) })))
  }
}

const headerOf = (message: Uint8Array) =>
  Either.try({
    try: () => MessageCodec.header(message),
    catch: (cause) => {
      if (cause instanceof Malformed) return new ZoneError.BadMessage({ reason: cause.message })
      throw cause
    }
  })

const toWire = ({ time, ...row }: JournalRow): JournalRowWire => new JournalRowWire({ ...row, ...time })
