/**
 * A whole Cadastre in the world: database, block store, runners and clients, each a process on a host of its own.
 * It lets things start and end; what befalls them is the faults' affair, what must hold the checks'.
 */
import * as Archiver from "#actors/Archiver.ts"
import * as Client from "#client/Client.ts"
import { root } from "#domain/Credentials.ts"
import type { Claim, SnapshotRecord } from "#persistence/Journal.ts"
import { Network as ProductNetwork } from "#shards/Network.ts"
import { databaseWatch } from "#simulations/checks/DatabaseWatch.ts"
import { restartOf, zoneProblem } from "#simulations/checks/LogCheck.ts"
import type { Violation } from "#simulations/checks/Violation.ts"
import { PORT, SECRET, type SimulatedRunner, start } from "#simulations/cluster/SimulatedRunner.ts"
import { SimulatedStorage } from "#simulations/cluster/SimulatedStorage.ts"
import { Recorder } from "#simulations/history/Recorder.ts"
import type { Scenario } from "#simulations/scenarios/Scenario.ts"
import { type Hands, Known, make as makeHands } from "#simulations/workloads/Hands.ts"
import { drawn } from "#simulations/workloads/Workloads.ts"
import { Network } from "#simulations/world/Network.ts"
import { Process } from "#simulations/world/Process.ts"
import * as ProcessNetwork from "#simulations/world/ProcessNetwork.ts"
import { SECOND, type World } from "#simulations/world/World.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as LogLevel from "effect/LogLevel"

/** So many leases long a client tries before it gives a request up. */
const RETRY_LEASES = 15

export class SimulatedCluster {
  readonly world: World
  readonly network: Network
  readonly scenario: Scenario
  readonly recorder: Recorder
  readonly known: Known
  readonly violations: Array<Violation> = []
  /** All that were ever taken, whether they are still there or not. */
  readonly snapshots: Array<SnapshotRecord> = []
  /** The digest of the state that each of them held when it was recorded, by its manifest's digest. */
  readonly contents = new Map<string, Uint8Array>()
  /** What each life of a zone began with. */
  readonly claims: Array<Claim & { readonly zone: number }> = []
  readonly runners = new Map<string, SimulatedRunner>()
  readonly clients = new Map<string, Process>()
  /** Set when the load is over: clients finish what they are at and leave. */
  ending = false
  /** Set when somebody has changed the journal: zones may find themselves damaged. */
  tampered = false
  readonly storage: SimulatedStorage
  private readonly sessions = new Map<number, number>()
  private readonly expectingBlocks: Array<() => void> = []
  private readonly startedAt = new Map<SimulatedRunner, number>()

  constructor(world: World, scenario: Scenario) {
    this.world = world
    this.scenario = scenario
    this.network = new Network(world)
    this.recorder = new Recorder((value) => world.note(value))
    this.known = new Known(scenario.zones)
    this.storage = new SimulatedStorage(world, this.network, scenario.store)
    this.storage.postgres.tables.watch = databaseWatch(this)
  }

  get runnerNames(): ReadonlyArray<string> {
    return Array.from({ length: this.scenario.runners }, (_, index) => `runner-${index + 1}`)
  }

  get hosts(): ReadonlyArray<string> {
    return [...this.runnerNames, ...this.clients.keys(), ...this.storage.hosts]
  }

  /** Everything works again: what is frozen wakes, what is dead comes back. */
  heal(): void {
    this.network.heal()
    this.storage.heal()
    for (const process of this.clients.values()) process.wake()
    for (const name of this.runnerNames) {
      const process = this.runners.get(name)?.process
      if (process === undefined || process.isDead) this.startRunner(name)
      else process.wake()
    }
  }

  /** A process whose end by itself, and whose complaints, are violations. */
  process(name: string): Process {
    return new Process(this.world, name, {
      onLog: (level, text) => this.onLog(name, level, text),
      onDefect: (text) => this.violate("no process dies of itself", `${name}: ${text}`)
    })
  }

  startRunner(name: string): void {
    const { leaseSeconds, retentionSeconds, segmentRows, sessionLeaseSeconds, snapshotEvents, zones } = this.scenario
    const retention = retentionSeconds === undefined ? undefined : Duration.seconds(retentionSeconds)
    const archive = Archiver.keeping(retention)
    const runner = start(this.network, this.process(name), {
      zones,
      lease: Duration.seconds(leaseSeconds),
      sessionLease: Duration.seconds(sessionLeaseSeconds),
      snapshotEvents,
      archive: segmentRows === undefined ? archive : { ...archive, segmentRows },
      onSnapshot: (record) => this.snapshots.push(record),
      onStored: () => this.expectingBlocks.shift()?.(),
      onClaiming: (zone, owner, term) => {
        if (term === undefined) this.violate("who claims holds a lease", `zone ${zone}: ${owner} holds none`)
      },
      onClaim: (zone, claim) => this.claims.push({ ...claim, zone }),
      database: (process) => this.storage.database(process),
      store: (process) => this.storage.store(process)
    })
    this.runners.set(name, runner)
    this.startedAt.set(runner, this.world.now)
  }

  /** Calls back once, when the next block is stored. */
  whenStored(callback: () => void): void {
    this.expectingBlocks.push(callback)
  }

  /** Seconds since the runner was started. */
  ageOf(runner: SimulatedRunner): number {
    return (this.world.now - (this.startedAt.get(runner) ?? 0)) / SECOND
  }

  /** A client that works until the load is over. */
  startClient(name: string): void {
    const { loops, thinkSeconds } = this.scenario
    this.runClient(name, (hands) => {
      const loop = Effect.gen(this, function*() {
        while (!this.ending) {
          yield* Effect.sleep(Duration.millis(this.world.dice.below(2000 * thinkSeconds)))
          if (!this.ending) yield* drawn(this.scenario.workloads, this.world.dice)(hands)
        }
      })
      return Effect.all(Array.from({ length: loops }, () => loop), { concurrency: "unbounded", discard: true })
    })
  }

  /** A client in a process of its own, which ends when its program does. */
  runClient(name: string, program: (hands: Hands) => Effect.Effect<void>): Process {
    const process = this.process(name)
    this.clients.set(name, process)
    const connected = Client.make({
      endpoints: this.runnerNames.map((host) => ({ host, port: PORT })),
      secret: SECRET,
      who: root,
      descriptor: { client: "simulation", host: name, user: "root", uid: 0, pid: 1 },
      retryFor: Duration.seconds(RETRY_LEASES * this.scenario.leaseSeconds)
    }).pipe(Effect.retry({ while: ({ _tag }) => _tag === "ClusterUnreachable" && !this.ending }))
    const work = Effect.scoped(Effect.flatMap(connected, (client) => {
      const hands = makeHands({
        dice: this.world.dice,
        probe: (name) => this.world.probe(name),
        now: () => this.world.now / SECOND,
        client,
        numberOf: (session) => this.numberOf(session),
        known: this.known,
        recorder: this.recorder,
        complain: (what) => this.violate("clients see what was promised", `${name}: ${what}`),
        onSessionLost: (seconds) => this.onSessionLost(name, seconds)
      })
      process.onDeath.add(hands.leave)
      return program(hands)
    })).pipe(
      Effect.catchTag("ClusterUnreachable", () => Effect.void),
      Effect.provideService(ProductNetwork, ProcessNetwork.make(this.network, process))
    )
    process.run(work, () => process.kill())
    return process
  }

  violate(rule: string, text: string): void {
    this.world.tell(() => `VIOLATION: ${rule}: ${text}`)
    this.violations.push({ rule, text })
  }

  /** Lets the world go on for so many seconds, or until something holds. Whether it did. */
  runFor(seconds: number, done: () => boolean = () => false): boolean {
    return this.world.run(done, this.world.now + seconds * SECOND)
  }

  private numberOf(session: number): number {
    let number = this.sessions.get(session)
    if (number === undefined) this.sessions.set(session, number = this.sessions.size)
    return number
  }

  /** A zone keeps every session for its full lease after it was opened; without faults, for ever. */
  private onSessionLost(name: string, seconds: number): void {
    const { faults, sessionLeaseSeconds } = this.scenario
    if (seconds > CLOCKS * sessionLeaseSeconds && faults.length > 0) return
    this.violate("sessions last", `${name} has lost its session after ${seconds.toFixed(1)} s`)
  }

  /** What zones say when they restart, and why. */
  private onLog(name: string, _level: LogLevel.LogLevel, text: string): void {
    const restart = restartOf(text)
    if (restart !== undefined) this.world.probe(`zone restarts: ${restart.replaceAll(/\d+/g, "N").slice(0, 60)}`)
    const rule = zoneProblem(text)
    if (rule !== undefined && !this.tampered) this.violate(rule, `${name}: ${text}`)
  }
}

/** A clock that runs fast sees a lease end early by less than this. */
const CLOCKS = 0.99
