/**
 * The load of `bench failover`, a process of its own: callers that create numbered files and look at them, one call
 * after the other, and beside them a create every so often in each zone that waits for no other. It remembers every
 * answer, and what the driver asks it tells.
 */
import { type Answers, type LoadOptions, nowMillis, type Question, type Verdict } from "#bench/failover/Wire.ts"
import { quantile } from "#bench/Quantile.ts"
import * as Client from "#client/Client.ts"
import type { PosixError, TransportError } from "#client/ClientError.ts"
import { root } from "#domain/Credentials.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { format } from "#transport/Connection.ts"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberSet from "effect/FiberSet"
import * as Redacted from "effect/Redacted"
import { createInterface } from "node:readline"

/** As a mount would have it. */
const RETRY_FOR = Duration.seconds(60)
const PROBE_INTERVAL = Duration.millis(100)
/** Probes of one zone that wait at a time; a zone that is away for longer has no more of them. */
const PROBES_MAX = 600
const ERRORS_TOLD_MAX = 5
const PAGE = 4096
const EEXIST = 17

/** All calls that came to an end. */
class Calls {
  private readonly zones: Array<number> = []
  private readonly begins: Array<number> = []
  private readonly ends: Array<number> = []
  private readonly probes: Array<boolean> = []

  add(zone: number, begin: number, isProbe: boolean): void {
    this.zones.push(zone)
    this.begins.push(begin)
    this.ends.push(nowMillis())
    this.probes.push(isProbe)
  }

  firstReplies(zones: number, since: number): ReadonlyArray<number | null> {
    const first = Array.from({ length: zones }, (): number | null => null)
    for (let n = this.ends.length - 1; n >= 0 && (this.ends[n] as number) >= since; n--) {
      const zone = this.zones[n] as number
      if (this.probes[n] === true && (this.begins[n] as number) >= since) first[zone] = (this.ends[n] as number) - since
    }
    return first
  }

  /** Of the calls that ended in this time. */
  latencies(from: number, to: number): Answers["latencies"] {
    const millis: Array<number> = []
    for (const [n, end] of this.ends.entries()) {
      if (end >= from && end < to) millis.push(end - (this.begins[n] as number))
    }
    if (millis.length === 0) return { calls: 0, p50: 0, p99: 0, worst: 0 }
    return { calls: millis.length, p50: quantile(millis, 0.5), p99: quantile(millis, 0.99), worst: Math.max(...millis) }
  }
}

const program = (options: LoadOptions, answering: (answer: Answer) => void) =>
  Effect.gen(function*() {
    const client = yield* Client.make({
      endpoints: options.endpoints,
      secret: Redacted.make(options.secret),
      who: root,
      descriptor: { client: "bench failover", host: "here", user: "root", uid: 0, pid: process.pid },
      retryFor: RETRY_FOR
    })
    const zones = Array.from({ length: options.zones }, (_, zone) => zone)
    const calls = new Calls()
    const asked = zones.map(() => 0)
    const acknowledged = zones.map(() => new Set<string>())
    const errors: Array<string> = []
    let failed = 0
    let refusedAgain = 0
    const life = { stopping: false }

    const failing = (what: string) => (error: PosixError | TransportError) =>
      Effect.sync(() => {
        failed++
        if (error._tag === "PosixError" && error.errno === EEXIST) refusedAgain++
        if (errors.length < ERRORS_TOLD_MAX) errors.push(`${what}: ${error.message}`)
      })

    const create = (zone: number, isProbe: boolean) =>
      Effect.suspend(() => {
        const number = asked[zone] ?? 0
        asked[zone] = number + 1
        const name = `file.${number}`
        const begin = nowMillis()
        return client.call("create", {
          parent: InodeNumber.rootOf(zone),
          name,
          mode: 0o644,
          umask: 0,
          exclusive: true,
          truncate: false,
          access: 0
        }).pipe(
          Effect.map(({ attributes: { inode } }) => {
            calls.add(zone, begin, isProbe)
            acknowledged[zone]?.add(name)
            return inode
          }),
          Effect.catchAll((error) => Effect.as(failing(`create ${name} in zone ${zone}`)(error), undefined))
        )
      })

    const stat = (zone: number, inode: number) =>
      Effect.suspend(() => {
        const begin = nowMillis()
        return client.call("getAttributes", { inode }).pipe(
          Effect.map(() => calls.add(zone, begin, false)),
          Effect.catchAll(failing(`stat of inode ${inode}`))
        )
      })

    const caller = (zone: number) =>
      Effect.gen(function*() {
        const think = Effect.sleep(Duration.millis(options.thinkMillis))
        while (!life.stopping) {
          const inode = yield* create(zone, false)
          yield* think
          if (inode === undefined) continue
          yield* stat(zone, inode)
          yield* think
        }
      })

    const prober = (zone: number) =>
      Effect.scoped(Effect.gen(function*() {
        const waiting = yield* FiberSet.make<unknown>()
        while (!life.stopping) {
          if ((yield* FiberSet.size(waiting)) < PROBES_MAX) yield* FiberSet.run(waiting, create(zone, true))
          yield* Effect.sleep(PROBE_INTERVAL)
        }
        yield* FiberSet.awaitEmpty(waiting)
      }))

    const working = yield* Effect.fork(Effect.all(
      zones.flatMap((zone) => [prober(zone), ...Array.from({ length: options.callers }, () => caller(zone))]),
      { concurrency: "unbounded", discard: true }
    ))

    const listed = (zone: number) =>
      Effect.gen(function*() {
        const names: Array<string> = []
        for (;;) {
          const { end, entries } = yield* client.call("readDirectory", {
            inode: InodeNumber.rootOf(zone),
            handle: 0,
            after: names.at(-1) ?? "",
            count: PAGE,
            plus: false
          })
          for (const { name } of entries) names.push(name)
          if (end) return names
        }
      })

    const finish = Effect.gen(function*() {
      life.stopping = true
      yield* Fiber.join(working)
      let lost = 0
      let doubled = refusedAgain
      let all = 0
      for (const zone of zones) {
        const names = yield* listed(zone)
        const there = new Set(names)
        const answered = acknowledged[zone] ?? new Set()
        const numbers = asked[zone] ?? 0
        doubled += names.length - there.size
        for (const name of there) if (!(Number(name.slice("file.".length)) < numbers)) doubled++
        for (const name of answered) if (!there.has(name)) lost++
        all += answered.size
      }
      return { acknowledged: all, lost, doubled, failed, errors } satisfies Verdict
    })

    const owners = Effect.forEach(zones, (zone) =>
      Effect.map(client.zone(zone), (link) => {
        const place = link.place()
        return place === undefined ? null : format(place)
      }))

    const done = yield* Deferred.make<void>()
    answering((question) => {
      switch (question.kind) {
        case "owners":
          return owners
        case "firstReplies":
          return Effect.sync(() => calls.firstReplies(options.zones, question.since))
        case "latencies":
          return Effect.sync(() => calls.latencies(question.from, question.to))
        case "finish":
          return Effect.ensuring(finish, Deferred.succeed(done, undefined))
      }
    })
    yield* Deferred.await(done)
  })

type Answer = (question: Question) => Effect.Effect<unknown, PosixError | TransportError>

const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

const ready = Deferred.unsafeMake<Answer>(FiberId.none)
const questions = createInterface({ input: process.stdin }).on("line", (line) => {
  const question = JSON.parse(line) as Question
  void Effect.runPromise(
    Effect.flatMap(Deferred.await(ready), (answer) => answer(question)).pipe(
      Effect.match({
        onFailure: ({ message }) => say({ failure: message }),
        onSuccess: (answer) => say({ answer })
      })
    )
  )
})

const options = JSON.parse(process.argv[2] ?? "{}") as LoadOptions
await Effect.runPromise(Effect.scoped(
  program(options, (answer) => Deferred.unsafeDone(ready, Effect.succeed(answer)))
))
questions.close()
