import * as Configuration from "#runners/Configuration.ts"
import { it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { expect } from "vitest"

const given = (more: Readonly<Record<string, string>>) => {
  const variables = {
    CADASTRE_POSTGRES_URL: "postgres://user:password@host/database",
    CADASTRE_BLOCKS: "disk:/blocks",
    CADASTRE_SECRET: "a secret",
    ...more
  }
  return Effect.withConfigProvider(Configuration.load, ConfigProvider.fromMap(new Map(Object.entries(variables))))
}

const retentionOf = (days: string) =>
  Effect.map(given({ CADASTRE_JOURNAL_RETENTION_DAYS: days }), ({ zone }) => zone.archive.retention)

it.effect("archived rows stay unless a retention is set, in days, parts of them included", () =>
  Effect.gen(function*() {
    expect((yield* given({})).zone.archive.retention).toBeUndefined()
    expect(yield* retentionOf("0")).toEqual(Duration.zero)
    expect(yield* retentionOf("0.5")).toEqual(Duration.hours(12))
  }))

it.effect("history keeps blocks for ever unless a retention of it is set", () =>
  Effect.gen(function*() {
    expect((yield* given({})).historyRetention).toBeUndefined()
    const set = yield* given({ CADASTRE_HISTORY_RETENTION_DAYS: "30" })
    expect([set.historyRetention, set.zone.archive.retention]).toEqual([Duration.days(30), undefined])
    const wrong = yield* Effect.flip(given({ CADASTRE_HISTORY_RETENTION_DAYS: "-1" }))
    expect(Configuration.explain(wrong)).toMatch(/^CADASTRE_HISTORY_RETENTION_DAYS: /)
  }))

it.effect("pages are deflated only if asked for", () =>
  Effect.gen(function*() {
    expect((yield* given({})).zone.deflatesPages).toBe(false)
    expect((yield* given({ CADASTRE_DEFLATE_PAGES: "true" })).zone.deflatesPages).toBe(true)
    const wrong = Configuration.explain(yield* Effect.flip(given({ CADASTRE_DEFLATE_PAGES: "cold" })))
    expect(wrong).toMatch(/^CADASTRE_DEFLATE_PAGES: /)
  }))

it.effect("a retention that is none is refused, with its name and what is wanted", () =>
  Effect.gen(function*() {
    for (const wrong of ["-1", "soon", "1e9", "NaN"]) {
      const message = Configuration.explain(yield* Effect.flip(retentionOf(wrong)))
      expect(message).toMatch(/^CADASTRE_JOURNAL_RETENTION_DAYS: /)
    }
    expect(Configuration.explain(yield* Effect.flip(retentionOf("-1")))).toContain("0 to 36525, is wanted")
  }))

it.effect("journals may be in further databases, whose passwords no error repeats", () =>
  Effect.gen(function*() {
    expect((yield* given({})).journals).toEqual([])
    const urls = " postgres://a:b@one/x\n postgres://a:b@two:6432/y?sslmode=require "
    const { journals } = yield* given({ CADASTRE_JOURNAL_URLS: urls, CADASTRE_POSTGRES_CONNECTIONS: "5" })
    expect(journals).toMatchObject([
      { host: "one", port: 5432, database: "x", tls: false, connectionsMax: 5 },
      { host: "two", port: 6432, database: "y", tls: true, connectionsMax: 5 }
    ])
    const wrong = yield* Effect.flip(
      given({ CADASTRE_JOURNAL_URLS: "postgres://a:secret@one/x mysql://a:secret@two/y" })
    )
    const message = Configuration.explain(wrong)
    expect(message).toBe("CADASTRE_JOURNAL_URLS: it does not begin with postgres://")
  }))
