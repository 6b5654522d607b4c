/**
 * The clients of a round, each a process of its own: what they tell goes into the chronicle, what one finds the others
 * hear of. One that dies of itself is a violation.
 */
import * as Child from "#simulations/chaos/Child.ts"
import { type Chronicle, isEvent } from "#simulations/chaos/Chronicle.ts"
import type { Cluster, Ledger, ProcessView } from "#simulations/chaos/Cluster.ts"
import type { Clients } from "#simulations/chaos/Faults.ts"
import type { Errand, Order, Word } from "#simulations/chaos/Wire.ts"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Scope from "effect/Scope"

interface Member extends ProcessView {
  readonly child: Child.Child
  readonly done: Effect.Effect<void>
}

export class ClientGroup implements Clients {
  private readonly members = new Map<string, Member>()
  private started = 0
  private ending = false
  private readonly cluster: Cluster
  private readonly chronicle: Chronicle
  private readonly ledger: Ledger
  private readonly scope: Scope.Scope
  private readonly errandOf: (name: string, start: number) => Errand

  constructor(
    cluster: Cluster,
    chronicle: Chronicle,
    ledger: Ledger,
    scope: Scope.Scope,
    /** What a client does; `start` is another number for each process. */
    errandOf: (name: string, start: number) => Errand
  ) {
    this.cluster = cluster
    this.chronicle = chronicle
    this.ledger = ledger
    this.scope = scope
    this.errandOf = errandOf
  }

  readonly all = (): ReadonlyArray<ProcessView> => [...this.members.values()]

  readonly revive = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => (this.ending || this.members.get(name)?.isAlive() === true ? Effect.void : this.start(name)))

  /** They finish what they are at; each is awaited by `done`. */
  end(): Effect.Effect<void> {
    this.ending = true
    for (const { child } of this.members.values()) order(child, { kind: "end" })
    return Effect.forEach(this.members.values(), ({ done }) => done, { discard: true, concurrency: "unbounded" })
  }

  get unfinished(): ReadonlyArray<string> {
    return this.all().filter(({ isAlive }) => isAlive()).map(({ name }) => name)
  }

  /** A process on the host of that name. */
  readonly start = (name: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const errand = this.errandOf(name, this.started++)
      const process = `${name}.${this.started}`
      const done = Deferred.unsafeMake<void>(FiberId.none)
      let spoke = false
      const onLine = (line: string): void => {
        spoke = true
        this.hear(process, name, parse(line))
      }
      const onErrorLine = (line: string): void => this.ledger.tell(`${process}: ${line}`)
      const command = this.cluster.clientCommand(name, process)
      return Child.start({ name: process, command, onLine, onErrorLine }).pipe(
        Effect.tap((child) => {
          this.cluster.enter(name, child.pid)
          child.write(JSON.stringify(errand))
          this.members.set(name, {
            name,
            child,
            done: Deferred.await(done),
            isAlive: child.isAlive,
            isReady: () => child.isAlive() && spoke,
            signal: (signal) => this.cluster.signalClient(child, signal)
          })
          const end = Effect.tap(child.ended, ({ code, signal }) => {
            if (code !== 0 && !child.isDoomed()) {
              const text = `${process} ended by itself with ${code ?? signal}`
              this.ledger.violations.push({ rule: "no process dies of itself", text })
            }
            return Deferred.succeed(done, undefined)
          })
          return Effect.forkIn(Effect.interruptible(end), this.scope)
        }),
        Scope.extend(this.scope),
        Effect.asVoid
      )
    })

  private hear(process: string, from: string, word: Word | undefined): void {
    if (word === undefined) return
    const { ledger: { probes, violations } } = this
    if (isEvent(word)) this.chronicle.add(process, word)
    else if (word.kind === "probes") probes.set(word.name, (probes.get(word.name) ?? 0) + 1)
    else if (word.kind === "complains") violations.push({ rule: word.rule, text: word.text })
    else if (word.kind === "knows") {
      for (const { child, name } of this.members.values()) if (name !== from) order(child, word)
    }
  }
}

/** A line that a dying process did not finish was not told. */
const parse = (line: string): Word | undefined => {
  try {
    return JSON.parse(line) as Word
  } catch {
    return undefined
  }
}

const order = (child: Child.Child, given: Order): void => child.write(JSON.stringify(given))
