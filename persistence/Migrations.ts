/**
 * The tables of Cadastre in Postgres, as the steps that made them. A step that was released never changes;
 * a new need is a new step.
 */
import { Database, DatabaseError } from "#persistence/Database.ts"
import * as Effect from "effect/Effect"

interface Migration {
  readonly version: number
  readonly name: string
  readonly script: string
}

const migrations: ReadonlyArray<Migration> = [
  {
    version: 1,
    name: "cluster, zones, journal, snapshots, runners",
    script: `
      create table cadastre.cluster (
        only_row boolean primary key default true check (only_row),
        id uuid not null default gen_random_uuid(),
        zones smallint not null check (zones between 1 and 1024),
        secret_proof bytea,
        created timestamptz not null default now()
      );
      create table cadastre.zone (
        zone smallint primary key,
        epoch bigint not null,
        owner text not null,
        claimed timestamptz not null
      );
      create table cadastre.journal (
        zone smallint not null,
        first bigint not null,
        last bigint not null,
        epoch bigint not null,
        seconds bigint not null,
        nanos int not null,
        codec smallint not null,
        payload bytea not null,
        previous bytea not null,
        hash bytea not null,
        primary key (zone, first)
      );
      alter table cadastre.journal alter column payload set storage external;
      create table cadastre.snapshot (
        zone smallint not null,
        sequence bigint not null,
        hash bytea not null,
        parts int not null,
        bytes bigint not null,
        digest bytea not null,
        created timestamptz not null default now(),
        primary key (zone, sequence)
      );
      create table cadastre.runner (
        address text primary key,
        machine int generated always as identity,
        runner text not null,
        healthy boolean not null,
        expires timestamptz not null
      );
      create table cadastre.shard (
        shard text primary key,
        address text not null
      )`
  },
  {
    version: 2,
    name: "archived segments",
    script: `
      create table cadastre.segment (
        zone smallint not null,
        first bigint not null,
        last bigint not null,
        previous bytea not null,
        hash bytea not null,
        begins_seconds bigint not null,
        begins_nanos int not null,
        ends_seconds bigint not null,
        ends_nanos int not null,
        rows int not null,
        bytes bigint not null,
        digest bytea not null,
        sealed timestamptz not null default now(),
        primary key (zone, first)
      )`
  },
  {
    version: 3,
    name: "snapshots of pages",
    script: `
      drop table cadastre.snapshot;
      create table cadastre.snapshot (
        zone smallint not null,
        sequence bigint not null,
        hash bytea not null,
        epoch bigint not null,
        bytes bigint not null,
        digest bytea not null,
        created timestamptz not null default now(),
        primary key (zone, sequence)
      )`
  },
  {
    version: 4,
    name: "journals in several databases",
    script: `
      alter table cadastre.cluster
        add column databases smallint not null default 1,
        add column place smallint not null default 0`
  }
]

/** One number that all runners use to take turns at migrating ("cadastre" in ASCII, shortened). */
const LOCK = 0x63616461

/** Brings the database to this program's tables. Refuses one that a newer program has made. */
export const migrate: Effect.Effect<void, DatabaseError, Database> = Effect.gen(function*() {
  const database = yield* Database
  yield* database.script(
    "prepare migrations",
    `select pg_advisory_xact_lock(${LOCK});
     create schema if not exists cadastre;
     create table if not exists cadastre.migration (
       version int primary key, name text not null, applied timestamptz not null default now())`
  )
  const [row] = yield* database.query("read migrations", "select coalesce(max(version), 0) from cadastre.migration")
  const known = migrations[migrations.length - 1]?.version ?? 0
  const current = Number(row?.[0] ?? 0)
  if (current > known) {
    return yield* new DatabaseError({
      operation: "migrate",
      reason: `the tables are of version ${current}, this program knows up to ${known}: use a newer Cadastre`,
      uncertain: false
    })
  }
  for (const { name, script, version } of migrations) {
    if (version <= current) continue
    yield* database.script(
      `migrate to version ${version}`,
      `select pg_advisory_xact_lock(${LOCK});
       do $migration$ begin
         if not exists (select from cadastre.migration where version = ${version}) then
           ${script};
           insert into cadastre.migration (version, name) values (${version}, '${name}');
         end if;
       end $migration$`
    )
  }
})
