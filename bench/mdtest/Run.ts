/** One run under way: keeps the tasks in step, phase by phase, and keeps what each phase came to. */
import type { Cluster, JournalSize } from "#bench/mdtest/Cluster.ts"
import { Histogram } from "#bench/mdtest/Histogram.ts"
import { type PhaseName, phases, type UntimedName } from "#bench/mdtest/Phases.ts"
import { cpuSeconds, heldBytes, peakBytes, treeBytes } from "#bench/mdtest/Processes.ts"
import { lineOf, type RecordedLine } from "#bench/mdtest/Recorded.ts"
import { type Kind, kinds, type PhaseResult } from "#bench/mdtest/Summary.ts"
import type { TaskFailed, TaskProcess } from "#bench/mdtest/TaskProcess.ts"
import { type Sample, tenthsOf } from "#bench/mdtest/Tenths.ts"
import type { Done } from "#bench/mdtest/Wire.ts"
import type { DatabaseError } from "#persistence/Database.ts"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { appendFileSync } from "node:fs"

interface Tally {
  readonly phase: PhaseName
  readonly rates: Array<number>
  items: number
  readonly latencies: Histogram
  readonly cpuSeconds: Partial<Record<Kind, number>>
  /** Of the last iteration that took long enough. */
  tenths: ReadonlyArray<number> | undefined
}

const SAMPLES_MAX = 16_384
const TICK = Duration.seconds(1)
/** Ticks between two lines of progress where they do not overwrite each other. */
const TICKS_A_LINE = 10

export class Run {
  private readonly cluster: Cluster
  private readonly tasks: ReadonlyArray<TaskProcess>
  private readonly record: string | undefined
  private readonly say: (line: string) => void
  private readonly tallies = new Map<PhaseName, Tally>()
  private readonly pids: Readonly<Record<Kind, ReadonlyArray<number>>>
  private postgresBytes = 0
  /** What creating files added to the journal, and how many they were. */
  private readonly journal = { files: 0, payloadBytes: 0, rows: 0, tableBytes: 0, walBytes: 0 }
  private renamed = false

  /** `record`: a file that gets a line of JSON each second. */
  constructor(
    cluster: Cluster,
    tasks: ReadonlyArray<TaskProcess>,
    record: string | undefined,
    say: (line: string) => void
  ) {
    this.cluster = cluster
    this.tasks = tasks
    this.record = record
    this.say = say
    this.pids = {
      tasks: tasks.map(({ pid }) => pid),
      runners: cluster.runnerPids,
      postgres: cluster.postgresPid === undefined ? [] : [cluster.postgresPid]
    }
  }

  /** What must be there before phases, or go after them; nobody measures it. */
  prepare(phase: UntimedName, iteration: number): Effect.Effect<void, TaskFailed> {
    return Effect.asVoid(this.order(phase, iteration))
  }

  phase(phase: PhaseName, iteration: number): Effect.Effect<void, TaskFailed | DatabaseError> {
    return Effect.gen(this, function*() {
      const tally = this.tallyOf(phase)
      const journalBefore = phase === "fileCreation" ? yield* this.cluster.journalSize : undefined
      const cpuBefore = this.cpu()
      const samples: Array<Sample> = []
      const done = yield* Effect.raceFirst(this.order(phase, iteration), this.watch(phase, iteration, samples))
      const cpuAfter = this.cpu()
      const items = done.reduce((sum, one) => sum + one.items, 0)
      const begun = Math.min(...done.map((one) => one.begun))
      const seconds = (Math.max(...done.map((one) => one.ended)) - begun) / 1000
      tally.rates.push(items / seconds)
      tally.items += items
      for (const { bins } of done) tally.latencies.merge(bins)
      for (const kind of kinds) {
        if (this.pids[kind].length > 0) {
          tally.cpuSeconds[kind] = (tally.cpuSeconds[kind] ?? 0) + cpuAfter[kind] - cpuBefore[kind]
        }
      }
      tally.tenths = tenthsOf([...samples, { seconds, items }]) ?? tally.tenths
      this.write({ phase, iteration, seconds, items, ended: true })
      this.postgresBytes = Math.max(this.postgresBytes, ...this.pids.postgres.map(treeBytes))
      if (journalBefore !== undefined) this.grew(items, journalBefore, yield* this.cluster.journalSize)
      if (phase === "directoryRename") this.renamed = true
      if (phase === "directoryRemoval") this.renamed = false
      const { title } = phases[phase]
      this.say(`${title}: ${items} in ${seconds.toFixed(3)} s, ${Math.round(items / seconds)} a second`)
    })
  }

  results(): ReadonlyArray<PhaseResult> {
    return (Object.keys(phases) as ReadonlyArray<PhaseName>).flatMap((phase) => this.tallies.get(phase) ?? [])
  }

  /** Bytes that the processes of each kind held at most, summed; of Postgres at the ends of phases. */
  peakMemory(): Readonly<Partial<Record<Kind, number>>> {
    const sum = (kind: Kind) => this.pids[kind].reduce((bytes, pid) => bytes + peakBytes(pid), 0)
    return {
      tasks: sum("tasks"),
      ...this.pids.runners.length > 0 ? { runners: sum("runners") } : {},
      ...this.pids.postgres.length > 0 ? { postgres: this.postgresBytes } : {}
    }
  }

  /** Nothing where it is not known. */
  journalPerFile(): Readonly<Record<string, number>> {
    const { files, payloadBytes, rows, tableBytes, walBytes } = this.journal
    return files === 0 ? {} : {
      journalBytesPerFile: payloadBytes / files,
      journalTableBytesPerFile: tableBytes / files,
      walBytesPerFile: walBytes / files,
      createsPerJournalRow: files / rows
    }
  }

  private order(phase: PhaseName | UntimedName, iteration: number): Effect.Effect<ReadonlyArray<Done>, TaskFailed> {
    const { renamed } = this
    return Effect.all(this.tasks.map(({ perform }) => perform({ kind: "phase", phase, iteration, renamed })), {
      concurrency: "unbounded"
    })
  }

  /** Tells each second how far the phase is, for ever, and keeps it in `samples`. */
  private watch(phase: PhaseName, iteration: number, samples: Array<Sample>): Effect.Effect<never> {
    const begun = performance.now()
    let ticks = 0
    let itemsBefore = 0
    return Effect.sync(() => {
      ticks++
      const seconds = (performance.now() - begun) / 1000
      const items = this.tasks.reduce((sum, task) => sum + task.items(), 0)
      samples.push({ seconds, items })
      // Half as fine rather than without a bound.
      if (samples.length > SAMPLES_MAX) samples.splice(0, samples.length, ...samples.filter((_, at) => at % 2 === 1))
      this.write({ phase, iteration, seconds, items, ended: false })
      const rate = Math.round((items - itemsBefore) / (process.stderr.isTTY ? 1 : TICKS_A_LINE))
      if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${this.progress(phase, items, rate)}\r`)
      else if (ticks % TICKS_A_LINE === 0) this.say(this.progress(phase, items, rate))
      else return
      itemsBefore = items
    }).pipe(Effect.delay(TICK), Effect.forever)
  }

  private progress(phase: PhaseName, items: number, rate: number): string {
    return `  ${phases[phase].title}: ${items.toLocaleString("en")}, ${rate.toLocaleString("en")} a second`
  }

  private write(line: Omit<RecordedLine, "cpuSeconds" | "runnerBytes" | "taskBytes">): void {
    if (this.record === undefined) return
    const bytesOf = (kind: Kind) => this.pids[kind].reduce((sum, pid) => sum + heldBytes(pid), 0)
    const recorded = {
      ...line,
      cpuSeconds: this.cpu(),
      runnerBytes: bytesOf("runners"),
      taskBytes: bytesOf("tasks")
    }
    appendFileSync(this.record, lineOf(recorded))
  }

  private cpu(): Readonly<Record<Kind, number>> {
    const sum = (kind: Kind) => this.pids[kind].reduce((seconds, pid) => seconds + cpuSeconds(pid), 0)
    return { tasks: sum("tasks"), runners: sum("runners"), postgres: sum("postgres") }
  }

  private tallyOf(phase: PhaseName): Tally {
    let tally = this.tallies.get(phase)
    if (tally === undefined) {
      this.tallies.set(
        phase,
        tally = { phase, rates: [], items: 0, latencies: new Histogram(), cpuSeconds: {}, tenths: undefined }
      )
    }
    return tally
  }

  private grew(files: number, before: JournalSize, after: JournalSize | undefined): void {
    if (after === undefined) return
    const { journal } = this
    journal.files += files
    journal.payloadBytes += after.payloadBytes - before.payloadBytes
    journal.rows += after.rows - before.rows
    journal.tableBytes += after.tableBytes - before.tableBytes
    journal.walBytes += after.walBytes - before.walBytes
  }
}
