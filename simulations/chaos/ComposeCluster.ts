/**
 * The cluster of the repository's `docker-compose.yml`, under a project name of the run's own, on a Docker engine. Its
 * services are killed, stopped and paused; its network and its disks are the engine's, and are left alone.
 */
import * as Child from "#simulations/chaos/Child.ts"
import type { Cluster, ClusterConfig, Ledger, ProcessView, Runners, Signal } from "#simulations/chaos/Cluster.ts"
import { zoneProblem } from "#simulations/checks/LogCheck.ts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const FILE = fileURLToPath(new URL("../../docker-compose.yml", import.meta.url))
/** Of the compose file. */
const RUNNERS = ["runner-1", "runner-2", "runner-3"]
const SERVICES = [...RUNNERS, "postgres", "s3"]
const PORT = 7070
/** Of the image, which has Node among its packages. */
const NODE = `/app/node_modules/node-linux-${process.arch}/bin/node`
const CLIENT = "/app/simulations/chaos/Client.ts"
const CANNOT = "containers are killed, stopped and paused, no more"

/** What talks to the engine about this run's project. */
class Project {
  readonly name = `cadastre-chaos-${process.pid}`
  readonly secret = randomBytes(16).toString("hex")
  readonly override: string

  constructor(folder: string) {
    this.override = join(folder, "compose.override.json")
  }

  command(...args: ReadonlyArray<string>): ReadonlyArray<string> {
    const secrets = [`CADASTRE_SECRET=${this.secret}`, `POSTGRES_PASSWORD=${this.secret}`]
    // The engine chooses a free port.
    const set = [...secrets, "CADASTRE_PUBLISHED_PORT=0"]
    return ["env", ...set, "docker", "compose", "-p", this.name, "-f", FILE, "-f", this.override, ...args]
  }

  must(...args: ReadonlyArray<string>): Effect.Effect<string> {
    return Child.must(...this.command(...args))
  }

  /** One that is not in the state for it is left as it is. */
  attempt(...args: ReadonlyArray<string>): Effect.Effect<void> {
    return Effect.asVoid(Child.run(...this.command(...args)))
  }

  /** What a signal is to a container. */
  signal(service: string, signal: Signal): Effect.Effect<void> {
    return this.attempt(VERBS[signal], service)
  }

  /** Services, clients and volumes. */
  get remove(): Effect.Effect<void> {
    return Effect.gen(this, function*() {
      const mine = `label=com.docker.compose.project=${this.name}`
      const { text } = yield* Child.run("docker", "ps", "--all", "--quiet", "--filter", mine)
      if (text !== "") yield* Child.run("docker", "rm", "--force", ...text.split("\n"))
      yield* this.attempt("down", "--volumes", "--remove-orphans")
    })
  }
}

const VERBS: Readonly<Record<Signal, string>> = {
  SIGKILL: "kill",
  SIGTERM: "stop",
  SIGSTOP: "pause",
  SIGCONT: "unpause"
}

export const make = (folder: string): Effect.Effect<Cluster> =>
  Effect.gen(function*() {
    yield* Child.must("docker", "compose", "version")
    yield* Child.must("docker", "info")
    const project = new Project(folder)
    const faults = ["partition", "breakConnection", "slowNetwork", "fillDisk", "powerCut"]
    return {
      hosts: SERVICES,
      cannot: new Map(faults.map((name) => [name, CANNOT])),
      database: {
        restart: project.attempt("restart", "postgres"),
        // One that was killed by hand is started by hand.
        crash: Effect.zipRight(project.signal("postgres", "SIGKILL"), project.attempt("start", "postgres")),
        freeze: project.signal("postgres", "SIGSTOP"),
        wake: project.signal("postgres", "SIGCONT"),
        dieAfter: () => Effect.dieMessage(CANNOT),
        start: Effect.dieMessage(CANNOT)
      },
      network: {
        cut: () => Effect.dieMessage(CANNOT),
        mend: () => Effect.void,
        slow: () => Effect.dieMessage(CANNOT),
        breakOne: () => Effect.dieMessage(CANNOT)
      },
      disks: { fill: Effect.void, free: Effect.void, cutPower: Effect.void, restorePower: Effect.void },
      clientCommand: (_host, name) =>
        project.command("run", "--rm", "-T", "--name", containerOf(project, name), "--entrypoint", NODE, "cli", CLIENT),
      signalClient: (child, signal) => signalClient(project, child, signal),
      enter: () => undefined,
      startRunners: (_round, config, ledger) => startRunners(project, config, ledger)
    }
  })

const containerOf = ({ name }: Project, process: string): string => `${name}-${process.replaceAll(".", "-")}`

/** The process here only carries its lines, and ends once it has carried them all. */
const signalClient = (project: Project, child: Child.Child, signal: Signal): Effect.Effect<void> => {
  if (signal === "SIGKILL") child.doom()
  return Effect.asVoid(Child.run("docker", VERBS[signal], containerOf(project, child.name)))
}

/** The whole project with empty volumes, which the scope removes. */
const startRunners = (
  project: Project,
  config: ClusterConfig,
  ledger: Ledger
): Effect.Effect<Runners, never, Scope.Scope> =>
  Effect.gen(function*() {
    writeFileSync(project.override, JSON.stringify({ services: overrideOf(config) }))
    yield* Effect.acquireRelease(project.must("up", "--build", "--wait", "--detach", ...RUNNERS), () => project.remove)
    const views = RUNNERS.map((name) => viewOf(project, name))
    return {
      all: views,
      revive: (name) => views.find((view) => view.name === name)?.start ?? Effect.void,
      endpoints: RUNNERS.map((host) => ({ host, port: PORT })),
      secret: project.secret,
      stop: Effect.forEach(RUNNERS, (name) => stop(project, name, ledger), { discard: true })
    }
  })

const overrideOf = ({ leaseSeconds, sessionLeaseSeconds, snapshotEvents, zones }: ClusterConfig) => {
  const environment = {
    CADASTRE_ZONES: String(zones),
    CADASTRE_LEASE_SECONDS: String(leaseSeconds),
    CADASTRE_SESSION_LEASE_SECONDS: String(sessionLeaseSeconds),
    CADASTRE_SNAPSHOT_EVENTS: String(snapshotEvents)
  }
  return Object.fromEntries(RUNNERS.map((name) => [name, { environment }]))
}

interface RunnerView extends ProcessView {
  readonly start: Effect.Effect<void>
}

const viewOf = (project: Project, name: string): RunnerView => {
  let alive = true
  return {
    name,
    isAlive: () => alive,
    isReady: () => alive,
    // The engine takes its time to stop one, and would kill one that is paused meanwhile: nobody else may have it.
    signal: (signal) =>
      Effect.suspend(() => {
        if (signal === "SIGKILL" || signal === "SIGTERM") alive = false
        return project.signal(name, signal)
      }),
    start: Effect.suspend(() => {
      if (alive) return Effect.void
      alive = true
      return project.attempt("start", name)
    })
  }
}

const stop = (project: Project, name: string, ledger: Ledger): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* project.attempt("stop", name)
    const id = yield* project.must("ps", "--all", "--quiet", name)
    const code = yield* Child.must("docker", "inspect", "--format", "{{.State.ExitCode}}", id)
    if (code !== "0") {
      ledger.violations.push({ rule: "a runner that is told to stop ends well", text: `${name} ended with ${code}` })
    }
    for (const line of (yield* project.must("logs", "--no-log-prefix", name)).split("\n")) {
      const rule = zoneProblem(line)
      if (rule !== undefined) ledger.violations.push({ rule, text: `${name}: ${line}` })
    }
  })
