/**
 * What a cluster is, once for all runners: its identity, how many zones it has, and in how many databases their journals
 * are. Kept beside the journals; each of the databases knows its place among them.
 */
import { Limits } from "#domain/Limits.ts"
import type { DatabaseError } from "#persistence/Database.ts"
import { Database } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { scryptSync } from "node:crypto"

export interface ClusterRecord {
  readonly id: string
  readonly zones: number
}

/** The cluster is not what this runner was told that it is: another number of zones, or another secret. */
export class ClusterRefused extends Schema.TaggedError<ClusterRefused>()("ClusterRefused", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

const ZONES_DEFAULT = 16

export interface OpenOptions {
  /** Zones of a new cluster, or to add some; what it has, if undefined. */
  readonly zones: number | undefined
  /** Databases that have its journals, the cluster's own among them. */
  readonly databases?: number
  /** Who opens it, as other runners know it. */
  readonly runner: string
  readonly secret: Redacted.Redacted<string>
}

/**
 * The cluster's record, made with `zones` if there is none. More zones than before are added, when no other runner
 * is up; fewer are refused, because zones hold files. So is another secret than the one that it was made with.
 */
export const open = (
  options: OpenOptions
): Effect.Effect<ClusterRecord, DatabaseError | ClusterRefused, Database> =>
  Effect.gen(function*() {
    const { databases = 1, runner, zones } = options
    const database = yield* Database
    if (zones !== undefined && (!Number.isInteger(zones) || zones < 1 || zones > Limits.zonesMax)) {
      return yield* new ClusterRefused({ reason: `a cluster has 1 to ${Limits.zonesMax} zones, not ${zones}` })
    }
    yield* database.query(
      "found the cluster",
      "insert into cadastre.cluster (zones, databases) values ($1, $2) on conflict do nothing",
      [zones ?? ZONES_DEFAULT, databases]
    )
    const { id, zones: current, ...place } = yield* stored
    if (place.place !== 0) {
      const reason = `this database is number ${
        place.place + 1
      } of the ${place.databases} of cluster ${id}, not its first`
      return yield* new ClusterRefused({ reason: `${reason} (CADASTRE_POSTGRES_URL)` })
    }
    if (place.databases !== databases) {
      const reason = `the journals of this cluster are in ${place.databases} databases, not ${databases}`
      return yield* new ClusterRefused({ reason: `${reason}: where a zone's is never changes (CADASTRE_JOURNAL_URLS)` })
    }
    yield* checkSecret(id, options.secret)
    if (zones === undefined || zones === current) return { id, zones: current }
    if (zones < current) {
      const reason = `the cluster has ${current} zones and they hold files: it cannot have ${zones}`
      return yield* new ClusterRefused({ reason })
    }
    const others = yield* database.query(
      "look for other runners",
      "select address from cadastre.runner where expires > now() and address <> $1",
      [runner]
    )
    if (others.length > 0) {
      const reason = `the cluster has ${current} zones; stop its other runners (${others.join(", ")}) to add some`
      return yield* new ClusterRefused({ reason })
    }
    const add = "update cadastre.cluster set zones = $1 where zones = $2 returning 1"
    const added = yield* database.query("add zones", add, [zones, current])
    // None when another runner was first: look again.
    return added.length > 0 ? { id, zones } : yield* open(options)
  })

const stored = Effect.flatMap(Database, (database) =>
  Effect.map(
    database.query("read the cluster", "select id, zones, databases, place from cadastre.cluster"),
    ([row = []]) => ({ id: String(row[0]), zones: Number(row[1]), databases: Number(row[2]), place: Number(row[3]) })
  ))

/** Makes a further database one of the cluster's `databases`, at a place from 1, or refuses it if it is another. */
export const join = (
  { id, zones }: ClusterRecord,
  place: number,
  databases: number
): Effect.Effect<void, DatabaseError | ClusterRefused, Database> =>
  Effect.gen(function*() {
    const database = yield* Database
    yield* database.query(
      "join the cluster",
      `insert into cadastre.cluster (id, zones, databases, place) values ($1::text::uuid, $2, $3, $4)
       on conflict do nothing`,
      [id, zones, databases, place]
    )
    const found = yield* stored
    if (found.id === id && found.place === place && found.databases === databases) return
    const is = `is number ${found.place + 1} of the ${found.databases} databases of cluster ${found.id}`
    const reason = `the database given as number ${place + 1} of the ${databases} of cluster ${id} ${is}`
    return yield* new ClusterRefused({ reason: `${reason} (CADASTRE_JOURNAL_URLS)` })
  })

/** The record keeps what only the secret gives, slowly. Who comes first sets it. */
const checkSecret = (id: string, secret: Redacted.Redacted<string>) =>
  Effect.gen(function*() {
    const database = yield* Database
    const proof = scryptSync(Redacted.value(secret), id, PROOF_BYTES)
    yield* database.query(
      "set the secret's proof",
      "update cadastre.cluster set secret_proof = $1 where secret_proof is null",
      [
        proof
      ]
    )
    const [row] = yield* database.query("read the secret's proof", "select secret_proof from cadastre.cluster")
    if (Buffer.compare(row?.[0] as Uint8Array, proof) !== 0) {
      return yield* new ClusterRefused({
        reason: "this cluster has another secret (CADASTRE_SECRET, CADASTRE_SECRET_FILE)"
      })
    }
  })

const PROOF_BYTES = 32
