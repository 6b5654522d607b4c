/**
 * A cluster of this checkout's processes: runners as `cadastre runner` starts them, a Postgres of the run's own, blocks
 * on a disk of its own, on a network of proxies or of namespaces.
 */
import * as Child from "#simulations/chaos/Child.ts"
import {
  type Cluster,
  type ClusterConfig,
  type Ledger,
  type ProcessView,
  runnerNames,
  type Runners
} from "#simulations/chaos/Cluster.ts"
import * as Disks from "#simulations/chaos/Disks.ts"
import * as LoopbackNetwork from "#simulations/chaos/LoopbackNetwork.ts"
import * as NamespaceNetwork from "#simulations/chaos/NamespaceNetwork.ts"
import type { Network } from "#simulations/chaos/Network.ts"
import * as Postgres from "#simulations/chaos/Postgres.ts"
import { zoneProblem } from "#simulations/checks/LogCheck.ts"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import { appendFileSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

export interface ProcessOptions {
  readonly folder: string
  readonly runners: number
  readonly clients: ReadonlyArray<string>
  readonly namespaces: boolean
  /** Whether disks must be able to fail. */
  readonly frailDisks: boolean
}

const PROGRAM = fileURLToPath(new URL("../../cli/main.ts", import.meta.url))
const CLIENT = fileURLToPath(new URL("Client.ts", import.meta.url))
const SECRET = "the secret of a chaos run"
/** Statements give up before clients do. */
const STATEMENT_SECONDS = "5"
const READY = Duration.seconds(60)
const STOP = Duration.seconds(30)

export const make = (options: ProcessOptions) =>
  Effect.gen(function*() {
    const disks = yield* Disks.make(options.folder, options.frailDisks)
    const postgres = yield* Postgres.make(disks.postgres)
    const runners = runnerNames(options)
    const network = yield* options.namespaces
      ? NamespaceNetwork.make({ hosts: [...runners, ...options.clients], postgresSocket: postgres.socket })
      : LoopbackNetwork.make({ runners, postgresSocket: postgres.socket })
    const cannot = new Map<string, string>()
    if (network.cannotSlow !== undefined) cannot.set("slowNetwork", network.cannotSlow)
    if (disks.cannotFail !== undefined) {
      for (const fault of ["fillDisk", "powerCut"]) cannot.set(fault, disks.cannotFail)
    }
    const cluster: Cluster = {
      hosts: [...runners, ...options.clients, "postgres"],
      cannot,
      database: postgres,
      network,
      disks,
      clientCommand: (host) => network.on(host, [process.execPath, CLIENT]),
      signalClient: (child, signal) => Effect.sync(() => child.signal(signal)),
      enter: network.enter,
      startRunners: (round, config, ledger) =>
        Effect.gen(function*() {
          yield* postgres.makeDatabase(round)
          const environment = environmentOf(postgres, network, join(disks.blocks, round), round, config)
          return yield* startAll(
            runners.map((name) => new Runner(name, network, environment(name), options.folder, ledger)),
            network
          )
        })
    }
    return { ...cluster, on: network.on, unplug: network.unplug, plug: network.plug }
  })

const environmentOf = (
  { password, user }: Postgres.Postgres,
  { placeOf, postgres }: Network,
  blocks: string,
  database: string,
  config: ClusterConfig
) =>
(runner: string): Readonly<Record<string, string>> => {
  const { host, listen } = placeOf(runner)
  return {
    CADASTRE_POSTGRES_URL: `postgres://${user}:${
      Redacted.value(password)
    }@${postgres.host}:${postgres.port}/${database}`,
    CADASTRE_POSTGRES_TIMEOUT_SECONDS: STATEMENT_SECONDS,
    CADASTRE_BLOCKS: `disk:${blocks}`,
    CADASTRE_SECRET: SECRET,
    CADASTRE_HOST: host,
    CADASTRE_LISTEN_HOST: listen.host,
    CADASTRE_PORT: String(listen.port),
    CADASTRE_ZONES: String(config.zones),
    CADASTRE_LEASE_SECONDS: String(config.leaseSeconds),
    CADASTRE_SESSION_LEASE_SECONDS: String(config.sessionLeaseSeconds),
    CADASTRE_SNAPSHOT_EVENTS: String(config.snapshotEvents)
  }
}

const startAll = (
  runners: ReadonlyArray<Runner>,
  network: Network
): Effect.Effect<Runners, never, Scope.Scope> =>
  Effect.gen(function*() {
    const scope = yield* Effect.scope
    const revive = (name: string) =>
      Effect.suspend(() => runners.find((runner) => runner.name === name)?.start(scope) ?? Effect.void)
    for (const runner of runners) yield* runner.start(scope)
    yield* Effect.forEach(runners, (runner) => runner.ready.pipe(Effect.timeout(READY), Effect.orDie), {
      concurrency: "unbounded"
    })
    return {
      all: runners,
      revive,
      endpoints: runners.map(({ name }) => {
        const { host, listen: { port } } = network.placeOf(name)
        return { host, port }
      }),
      secret: SECRET,
      stop: Effect.forEach(runners, (runner) => runner.stop, { concurrency: "unbounded", discard: true })
    }
  })

/** One runner's place, and the process that is there now. */
class Runner implements ProcessView {
  readonly name: string
  private child: Child.Child | undefined
  private readiness = Deferred.unsafeMake<void>(FiberId.none)
  private served = false
  private readonly network: Network
  private readonly environment: Readonly<Record<string, string>>
  private readonly log: string
  private readonly ledger: Ledger

  constructor(
    name: string,
    network: Network,
    environment: Readonly<Record<string, string>>,
    folder: string,
    ledger: Ledger
  ) {
    this.name = name
    this.network = network
    this.environment = environment
    const logs = join(folder, "logs")
    mkdirSync(logs, { recursive: true })
    this.log = join(logs, `${name}.log`)
    this.ledger = ledger
  }

  readonly isAlive = (): boolean => this.child?.isAlive() === true
  readonly isReady = (): boolean => this.isAlive() && this.served

  get ready(): Effect.Effect<void> {
    return Effect.suspend(() => Deferred.await(this.readiness))
  }

  readonly signal = (name: NodeJS.Signals): Effect.Effect<void> => Effect.sync(() => this.child?.signal(name))

  /** Unless it lives. One that ends by itself is a violation once it has served, and starts again. */
  start(scope: Scope.Scope): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.isAlive()) return Effect.void
      this.readiness = Deferred.unsafeMake(FiberId.none)
      this.served = false
      const command = this.network.on(this.name, [process.execPath, PROGRAM, "runner"])
      const onLine = (line: string): void => this.hear(line)
      return Child.start({ name: this.name, command, env: this.environment, onLine }).pipe(
        Effect.tap((child) => {
          this.child = child
          this.network.enter(this.name, child.pid)
          return Effect.forkIn(Effect.interruptible(this.survive(child, scope)), scope)
        }),
        Scope.extend(scope),
        Effect.asVoid
      )
    })
  }

  get stop(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { child, ledger, name } = this
      if (child === undefined || !child.isAlive()) return Effect.void
      child.signal("SIGTERM")
      return Effect.matchEffect(Effect.timeout(child.ended, STOP), {
        onFailure: () => Effect.sync(() => ledger.violations.push({ rule: STOPS, text: `${name} does not end` })),
        onSuccess: ({ code, signal }) =>
          Effect.sync(() => {
            // One that is still starting has nothing to hand over.
            if (code !== 0 && this.served) {
              ledger.violations.push({ rule: STOPS, text: `${name} ended with ${code ?? signal}` })
            }
          })
      })
    })
  }

  private survive(child: Child.Child, scope: Scope.Scope): Effect.Effect<void> {
    return Effect.flatMap(child.ended, ({ code, signal }) => {
      if (child.isDoomed()) return Effect.void
      const text = `${this.name} ended by itself with ${code ?? signal}; see ${this.log}`
      this.ledger.tell(text)
      if (this.served) this.ledger.violations.push({ rule: "no process dies of itself", text })
      return Effect.zipRight(Effect.sleep(Duration.seconds(1)), this.start(scope))
    })
  }

  private hear(line: string): void {
    appendFileSync(this.log, `${line}\n`)
    if (line.includes("ready at")) {
      this.served = true
      Deferred.unsafeDone(this.readiness, Effect.void)
    }
    const rule = zoneProblem(line)
    if (rule !== undefined) this.ledger.violations.push({ rule, text: `${this.name}: ${line}` })
  }
}

const STOPS = "a runner that is told to stop ends well"
