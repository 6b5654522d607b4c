/**
 * A zone alive: it drains its mailbox, decides, appends one row for the whole batch, and lets the replies go
 * after the commit. If the append fails no reply leaves; the activation dies and the next one is rebuilt from
 * the journal, under a new epoch. One that nobody asks for, and that no client has a session in, ends as well, and the
 * next one begins with the next message.
 *
 * How it decides is `domain/Decide`; where it lives is the cluster's affair (`ZoneHost`).
 */
import * as Archiver from "#actors/Archiver.ts"
import { Mailbox } from "#actors/Mailbox.ts"
import { type PagesConfig, recover, type Recovered } from "#actors/Recovery.ts"
import * as Batch from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Malformed } from "#domain/codec/Reader.ts"
import * as StateCodec from "#domain/codec/StateCodec.ts"
import { Writer } from "#domain/codec/Writer.ts"
import { Decider, type Decision, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import * as InodeNumber from "#domain/InodeNumber.ts"
import { Limits } from "#domain/Limits.ts"
import * as Mode from "#domain/Mode.ts"
import { operations } from "#domain/Operations.ts"
import type { ZoneState } from "#domain/state/ZoneState.ts"
import * as Timestamp from "#domain/Timestamp.ts"
import type { BlockStore, StoreUnavailable } from "#persistence/blocks/BlockStore.ts"
import * as Chain from "#persistence/Chain.ts"
import { type Fenced, Journal, type JournalUnavailable } from "#persistence/Journal.ts"
import type { PageLost, ZonePages } from "#persistence/pages/ZonePages.ts"
import { RunnerLease } from "#persistence/RunnerLeases.ts"
import * as Snapshot from "#persistence/Snapshot.ts"
import { type Steps, through, Turn } from "#persistence/Turn.ts"
import * as Elapsed from "#shards/Elapsed.ts"
import * as ZoneError from "#shards/ZoneError.ts"
import * as Cause from "effect/Cause"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as SubscriptionRef from "effect/SubscriptionRef"
import { createHash } from "node:crypto"

export interface ZoneConfig extends PagesConfig {
  readonly zone: number
  /** Who claims it, for people. */
  readonly owner: string
  /** How long a session may be silent. */
  readonly sessionLease: Duration.Duration
  /** Events after which a new snapshot is taken. */
  readonly snapshotEvents: number
  readonly archive: Archiver.ArchiveConfig
  /** Turns that this runner's zones take at archiving. */
  readonly archivers: Effect.Semaphore
  /** After so long without a message it keeps no pages in memory; without sessions, nothing at all. */
  readonly idle: Duration.Duration
}

export interface ZoneReport {
  readonly epoch: number
  readonly sequence: number
  readonly inodes: number
  readonly dataBytes: number
  readonly sessions: number
  readonly digest: Uint8Array | undefined
}

export interface Zone {
  readonly number: number
  /** The epoch, once the zone is ready. It wakes if it sleeps. */
  readonly ready: Effect.Effect<number, ZoneError.ZoneUnavailable | ZoneError.ZoneDamaged>
  /** A packed message in; its packed replies are what it is called back with, once, now or later. */
  readonly receive: (message: Uint8Array, resume: Resume<Uint8Array>) => void
  /** The session's client lives. */
  readonly touch: (session: number) => Effect.Effect<void>
  readonly report: (digest: boolean) => Effect.Effect<ZoneReport, ZoneError.SubmitError>
  /** The last committed sequence, now and after each commit. */
  readonly committed: Stream.Stream<number>
}

export type Resume<A> = (result: Either.Either<A, ZoneError.SubmitError>) => void

interface MessageWork {
  readonly _tag: "Message"
  readonly bytes: number
  readonly message: MessageCodec.Message
  readonly resume: Resume<Uint8Array>
}
interface ReportWork {
  readonly _tag: "Report"
  readonly bytes: number
  readonly digest: boolean
  readonly resume: Resume<ZoneReport>
}
interface ExpireWork {
  readonly _tag: "Expire"
  readonly bytes: number
  readonly session: number
}
/** Nobody has asked for anything for a while. */
interface RestWork {
  readonly _tag: "Rest"
  readonly bytes: number
}
/** It is the zone's turn to take a snapshot. */
interface TurnWork {
  readonly _tag: "Turn"
  readonly bytes: number
}
type Work = MessageWork | ReportWork | ExpireWork | RestWork | TurnWork

/** A message whose replies are complete but for the requests that wait. */
interface Parked {
  readonly resume: Resume<Uint8Array>
  readonly replies: Array<ByteString | undefined>
  missing: number
}

/** A message made the program fail; nothing of its batch was appended. */
class DecideFailed extends Data.TaggedError("DecideFailed")<{ readonly cause: unknown }> {}

type Death = Fenced | JournalUnavailable | DecideFailed | PageLost | StoreUnavailable

const ROOT_MODE = Mode.S_IFDIR | 0o755
const SWEEPS_PER_LEASE = 6
/** How long a caller waits for a zone that is coming back. */
const READY_TIME_MAX = Duration.seconds(5)
/** Bytes of replies, and so about work, between two looks at the clock. */
const DECIDED_BYTES = 16_384
/** After a snapshot that failed, in milliseconds. */
const SNAPSHOT_AGAIN_MILLIS = 5000
const RESTART = Schedule.exponential(Duration.millis(50), 2).pipe(
  Schedule.jittered,
  Schedule.union(Schedule.spaced(Duration.seconds(5))),
  Schedule.resetAfter(Duration.seconds(10))
)
/** A damaged zone is looked at again at this pace: a person may have repaired it. */
const DAMAGED_RETRY = Duration.seconds(30)

export const make = (
  config: ZoneConfig
): Effect.Effect<Zone, never, Journal | BlockStore | RunnerLease | Scope.Scope> =>
  Effect.gen(function*() {
    const journal = yield* Journal
    const lease = yield* RunnerLease
    const context = yield* Effect.context<Journal | BlockStore>()
    const { zone } = config
    const mailbox = new Mailbox<Work>()
    const committed = yield* SubscriptionRef.make(0)
    const seen = new Map<number, number>()
    /** Closed while nobody has asked for anything since the zone fell asleep. */
    const asked = Effect.unsafeMakeLatch(false)
    let lastDeath = "it has not started yet"
    let readiness = yield* Deferred.make<number, ZoneError.ZoneUnavailable | ZoneError.ZoneDamaged>()

    const unavailable = (reason: string) => new ZoneError.ZoneUnavailable({ zone, reason })

    /** One life of the zone: from the claim to its death, or until it falls asleep. */
    const live = Effect.gen(function*() {
      if (lease.term() === undefined) lastDeath = "its runner holds no lease"
      // Without one, the zone may be another runner's by now: a claim would fence that one off.
      const term = yield* lease.held
      const claim = yield* journal.claim(zone, config.owner)
      if (lease.term() !== term) return yield* Effect.fail(unavailable("its runner's lease ran out as it was claimed"))
      const recovered = yield* recover(zone, claim, config)
      const { state } = recovered.pages
      const now = yield* Elapsed.millis
      seen.clear()
      for (const session of state.sessions.keys()) seen.set(session, now)
      const active = new Activation(claim.epoch, recovered, yield* Turn.make, term, now)
      if (!state.founded) {
        active.decider.begin(yield* moment(active))
        const inode = InodeNumber.rootOf(zone)
        active.decider.decideOwn(operations.foundZone, { inode, mode: ROOT_MODE })
        yield* commit(active)
      }
      yield* SubscriptionRef.set(committed, active.head.sequence)
      yield* Deferred.succeed(readiness, claim.epoch)
      yield* Effect.logDebug(`zone ${zone} is ready in epoch ${claim.epoch} at event ${active.head.sequence}`)
      yield* Effect.forkScoped(Effect.repeat(
        sweep,
        Schedule.spaced(
          Duration.times(config.sessionLease, 1 / SWEEPS_PER_LEASE)
        )
      ))
      yield* Effect.forkScoped(Archiver.archive(zone, config.archive, active.backlog, config.archivers))
      yield* Effect.forkScoped(rests(active))
      yield* Effect.addFinalizer(() => Effect.sync(() => active.abandon(unavailable("it moves or restarts"))))
      yield* Effect.repeat(Effect.zipRight(step(active), Effect.yieldNow()), { until: () => active.isAsleep })
      lastDeath = "it has slept, and wakes"
      yield* Effect.logDebug(`zone ${zone} sleeps at event ${active.head.sequence}`)
    }).pipe(
      Effect.scoped,
      // The next life starts from what does not need it.
      Effect.tapErrorTag("PageLost", (lost) => Effect.zipRight(Effect.logError(lost.message), Snapshot.disown(lost))),
      Effect.provide(context)
    )

    /** One batch. Not interrupted between its decision and its replies. */
    const step = (active: Activation) =>
      Effect.zipRight(
        Effect.zipRight(mailbox.ready, active.room),
        Effect.uninterruptible(Effect.gen(function*() {
          let commands = 0
          const works = mailbox.take((work) => {
            commands += work._tag === "Message" ? work.message.commands.length : 1
            return commands <= Limits.batchCommandsMax
          })
          if (works.every(({ _tag }) => _tag === "Rest")) return yield* rest(active)
          active.decider.begin(yield* moment(active))
          const deliveries: Array<() => void> = []
          const reports: Array<ReportWork> = []
          const messages = works.flatMap((work) => work._tag === "Message" ? [work.message] : [])
          for (const work of works) {
            if (work._tag === "Report") reports.push(work)
            else if (work._tag === "Expire") {
              yield* Effect.onError(expire(active, work.session), fall(works, undefined))
            } else if (work._tag === "Message") {
              yield* Effect.onError(decide(active, work, messages, deliveries), fall(works, work))
              messages.shift()
            }
          }
          const wrote = yield* Effect.onError(commit(active), fall(works, undefined))
          if (!wrote && lease.term() !== active.term) {
            const broken = unavailable("its runner's lease has run out")
            if (lease.term() === undefined) return yield* failAll(works, undefined, Cause.fail(broken))
            // Another runner may have had the zone since the claim: only a new one tells.
            return yield* Effect.onError(Effect.fail(broken), fall(works, undefined))
          }
          for (const deliver of deliveries) deliver()
          for (const work of reports) {
            const answer = Effect.onError(report(active, work.digest), fall([work], undefined))
            work.resume(Either.right(yield* answer))
          }
          active.beginSnapshot()
          yield* snapshotIfDue(active)
          yield* active.pages.bound
        }))
      )

    /** `messages` are this one and those that wait behind it: pages that they will meet come along. */
    const decide = (
      active: Activation,
      work: MessageWork,
      messages: ReadonlyArray<MessageCodec.Message>,
      deliveries: Array<() => void>
    ) =>
      Effect.gen(function*() {
        const { message } = work
        if (message.epoch !== active.epoch) {
          const error = new ZoneError.StaleEpoch({ zone, epoch: active.epoch })
          deliveries.push(() => work.resume(Either.left(error)))
          return
        }
        active.lastMessage = yield* Elapsed.millis
        if (message.session !== 0) seen.set(message.session, active.lastMessage)
        const made: Array<Decision> = []
        let decisions: ReadonlyArray<Decision> | typeof SESSION_ENDED = made
        do {
          yield* active.turn.end
          decisions = yield* active.pages.retry(
            () => active.turn.count(() => active.decider.decide(message, made, DECIDED_BYTES)),
            () => messages.flatMap((one) => [...active.decider.missing(one)])
          ).pipe(Effect.catchAllDefect((cause) => Effect.fail(new DecideFailed({ cause }))))
        } while (decisions !== SESSION_ENDED && decisions.length < message.commands.length)
        if (decisions === SESSION_ENDED) {
          const error = new ZoneError.SessionLost({ zone, session: message.session })
          deliveries.push(() => work.resume(Either.left(error)))
          return
        }
        const replies: Array<ByteString | undefined> = []
        let parked: Parked | undefined
        for (const [index, decision] of decisions.entries()) {
          replies.push(decision === WAITS ? undefined : decision.reply)
          if (decision !== WAITS) continue
          parked ??= { resume: work.resume, replies, missing: 0 }
          parked.missing++
          active.park(message.session, message.commands[index]?.number ?? 0, parked, index)
        }
        if (parked === undefined) {
          const bytes = MessageCodec.encodeReplies(replies as Array<ByteString>)
          deliveries.push(() => work.resume(Either.right(bytes)))
        }
      })

    const expire = (active: Activation, session: number) =>
      active.pages.retry(() => {
        const inode = InodeNumber.rootOf(zone)
        active.decider.decideOwn(operations.endSession, { inode, session, reason: "expired" })
      })

    /** Appends what the batch changed. Whether there was anything. */
    const commit = (active: Activation) =>
      Effect.gen(function*() {
        yield* active.turn.end
        const { batch, completed } = active.decider.take()
        if (batch === undefined) return false
        const row = active.row(zone, batch)
        yield* active.turn.end
        yield* journal.append(row)
        active.head = Chain.headOf(row)
        active.backlog.add(row)
        for (const completion of completed) active.complete(completion)
        yield* SubscriptionRef.set(committed, row.last)
        return true
      })

    /** This life is over; its epoch is not told any more once the first caller knows. */
    const fall =
      (works: ReadonlyArray<Work>, culprit: Work | undefined) =>
      (cause: Cause.Cause<Death | ZoneError.ZoneUnavailable>) => Effect.zipRight(reopen, failAll(works, culprit, cause))

    /** The batch's works get no reply but the reason; `culprit` is the message that the program failed on. */
    const failAll = (
      works: ReadonlyArray<Work>,
      culprit: Work | undefined,
      cause: Cause.Cause<Death | ZoneError.ZoneUnavailable>
    ) =>
      Effect.sync(() => {
        const reason = reasonOf(cause)
        const isDefect = Cause.failures(cause).pipe(Chunk.some(({ _tag }) => _tag === "DecideFailed"))
        for (const work of works) {
          if (!isAsked(work)) continue
          const error = isDefect && work === culprit ? new ZoneError.ZoneDefect({ zone, reason }) : unavailable(reason)
          work.resume(Either.left(error))
        }
      })

    const report = (active: Activation, digest: boolean) =>
      Effect.gen(function*() {
        const { state } = active.pages
        const sum = digest ? yield* digestOf(active) : undefined
        return {
          epoch: active.epoch,
          sequence: active.head.sequence,
          inodes: state.inodeCount,
          dataBytes: state.dataBytes,
          sessions: state.sessions.size,
          digest: sum
        }
      })

    /** The zone stands still while its bytes are gathered, other zones do not. */
    const digestOf = (active: Activation) =>
      Effect.gen(function*() {
        yield* active.pages.loadAll
        return yield* through(digestSteps(active.pages.state))
      })

    const snapshotIfDue = (active: Activation) =>
      Effect.gen(function*() {
        const events = active.head.sequence - active.snapshotSequence
        if (events >= config.snapshotEvents || (events > 0 && active.pages.isCrowded)) yield* snapshot(active)
      })

    /** Waits for a turn to take a snapshot, unless one is under way or waited for, or has just failed. */
    const snapshot = (active: Activation) =>
      Effect.gen(function*() {
        const now = yield* Elapsed.millis
        if (active.isTaking || now < active.snapshotAfter) return
        active.isTaking = true
        yield* config.snapshots.withPermits(1)(takeSnapshot(active)).pipe(
          Effect.ensuring(Effect.sync(() => void (active.isTaking = false))),
          Effect.interruptible,
          Effect.forkScoped
        )
      })

    /** Has a snapshot begun between two batches, of what is committed then, and writes it. */
    const takeSnapshot = (active: Activation) =>
      Effect.gen(function*() {
        const begun = yield* Deferred.make<Chain.ChainHead>()
        active.beginning = begun
        // If there is no room for it, what fills the mailbox wakes the zone as well.
        mailbox.offer({ _tag: "Turn", bytes: 0 })
        const head = yield* Deferred.await(begun)
        const failed = (reason: string) =>
          Effect.map(Elapsed.millis, (now) => {
            active.snapshotAfter = now + SNAPSHOT_AGAIN_MILLIS
            return `zone ${zone}: no snapshot at event ${head.sequence}: ${reason}`
          })
        yield* Effect.suspend(() => active.taking?.write ?? Effect.void).pipe(
          Effect.map(() => void (active.snapshotSequence = head.sequence)),
          Effect.catchAll(({ message }) => Effect.flatMap(failed(message), Effect.logWarning)),
          Effect.catchAllDefect((cause) => Effect.flatMap(failed(String(cause)), Effect.logError)),
          Effect.ensuring(Effect.sync(() => void (active.taking = undefined)))
        )
      })

    /** Tells the zone each time that it was idle for so long. */
    const rests = (active: Activation) =>
      Effect.forever(Effect.gen(function*() {
        const idle = Duration.toMillis(config.idle)
        const quiet = (yield* Elapsed.millis) - active.lastMessage
        if (quiet >= idle) mailbox.offer({ _tag: "Rest", bytes: 0 })
        yield* Effect.sleep(quiet >= idle ? config.idle : Duration.millis(idle - quiet))
      }))

    /**
     * Gives the memory back. What no snapshot has yet is stored first, and goes the next time. A zone that has stored
     * all, and that no client lives in, falls asleep.
     */
    const rest = (active: Activation) =>
      Effect.gen(function*() {
        if ((yield* Elapsed.millis) - active.lastMessage < Duration.toMillis(config.idle)) return
        if (active.head.sequence > active.snapshotSequence) yield* snapshot(active)
        yield* active.pages.leave
        if (active.isTaking || active.pages.state.sessions.size > 0 || mailbox.length > 0) return
        active.isAsleep = active.head.sequence === active.snapshotSequence
        if (active.isAsleep) asked.unsafeClose()
      })

    const sweep = Effect.gen(function*() {
      const limit = (yield* Elapsed.millis) - Duration.toMillis(config.sessionLease)
      for (const [session, last] of seen) {
        if (last > limit) continue
        seen.delete(session)
        mailbox.offer({ _tag: "Expire", bytes: 0, session })
      }
    })

    const moment = (active: Activation) =>
      Effect.map(Clock.currentTimeNanos, (nanos) =>
        Timestamp.later(Timestamp.fromNanos(nanos), active.decider.state.time))

    const reopen = Effect.gen(function*() {
      const next = yield* Deferred.make<number, ZoneError.ZoneUnavailable | ZoneError.ZoneDamaged>()
      if (yield* Deferred.isDone(readiness)) {
        readiness = next
      }
    })

    const damagedFor = (error: ZoneError.ZoneDamaged) =>
      Effect.gen(function*() {
        yield* Effect.logError(error.message)
        yield* Deferred.fail(readiness, error)
        const refuse = Effect.forever(Effect.zipRight(
          mailbox.ready,
          Effect.sync(() => {
            for (
              const work of mailbox.take(() =>
                true
              )
            ) if (isAsked(work)) work.resume(Either.left(error))
          })
        ))
        yield* Effect.timeoutOption(refuse, DAMAGED_RETRY)
      })

    yield* live.pipe(
      Effect.tapErrorCause((cause) => {
        lastDeath = reasonOf(cause)
        return Effect.logWarning(`zone ${zone} restarts: ${lastDeath}`)
      }),
      Effect.zipRight(Effect.zipRight(reopen, asked.await)),
      Effect.catchTag("ZoneDamaged", damagedFor),
      Effect.onExit(() => reopen),
      Effect.sandbox,
      Effect.retry(RESTART),
      Effect.forever,
      Effect.forkScoped
    )

    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const work of mailbox.take(() => true)) {
          if (isAsked(work)) work.resume(Either.left(new ZoneError.NotOwner({ zone })))
        }
      })
    )

    const offer = (work: MessageWork | ReportWork): void => {
      asked.unsafeOpen()
      if (mailbox.offer(work)) return
      work.resume(Either.left(new ZoneError.ZoneBusy({ zone, waiting: mailbox.length })))
    }

    return {
      number: zone,
      ready: Effect.suspend(() => {
        asked.unsafeOpen()
        return Deferred.await(readiness)
      }).pipe(
        Effect.timeoutFail({ duration: READY_TIME_MAX, onTimeout: () => unavailable(lastDeath) })
      ),
      receive: (bytes, resume) => {
        const message = decodeMessage(bytes, zone)
        if (Either.isLeft(message)) return resume(Either.left(message.left))
        offer({ _tag: "Message", bytes: bytes.length, message: message.right, resume })
      },
      touch: (session) =>
        Effect.map(Elapsed.millis, (now) => {
          if (seen.has(session)) seen.set(session, now)
        }),
      report: (digest) => Effect.async((resume) => offer({ _tag: "Report", bytes: 0, digest, resume })),
      committed: committed.changes
    }
  })

/** One for all zones of the process: a batch is encoded and copied out in one go. */
const writer = new Writer(64 * 1024)

/** What one life of a zone has in its hands. */
class Activation {
  readonly epoch: number
  readonly decider: Decider
  readonly pages: ZonePages
  readonly snapshots: Snapshot.ZoneSnapshots
  head: Chain.ChainHead
  /** Last event of the last snapshot. */
  snapshotSequence: number
  /** The snapshot under way, and whether there is one or one is waited for; when another may be. */
  taking: Snapshot.Taking | undefined
  isTaking = false
  snapshotAfter = 0
  /** It ends after this batch, and the next message begins another life. */
  isAsleep = false
  /** Who waits for a snapshot to begin, and is told what it is of. */
  beginning: Deferred.Deferred<Chain.ChainHead> | undefined
  /** Lease of the runner that it was claimed under. */
  readonly term: number
  readonly backlog = new Archiver.Backlog()
  /** How long its batches have held the thread. */
  readonly turn: Turn
  /** When somebody asked for something last; its beginning before that. */
  lastMessage: number
  private readonly parked = new Map<string, Array<{ readonly parked: Parked; readonly index: number }>>()

  constructor(
    epoch: number,
    { head, pages, snapshotSequence, snapshots }: Recovered,
    turn: Turn,
    term: number,
    now: number
  ) {
    this.epoch = epoch
    this.turn = turn
    this.decider = new Decider(pages.state)
    this.pages = pages
    this.snapshots = snapshots
    this.head = head
    this.snapshotSequence = snapshotSequence
    this.term = term
    this.lastMessage = now
  }

  /** Begins the snapshot whose turn it is. Only between two batches. */
  beginSnapshot(): void {
    const { beginning, head } = this
    if (beginning === undefined) return
    this.beginning = undefined
    this.taking = this.snapshots.begin(head)
    Deferred.unsafeDone(beginning, Effect.succeed(head))
  }

  /** Returns while a snapshot under way can keep what the next batch changes. */
  readonly room: Effect.Effect<void> = Effect.suspend(() => this.taking?.room ?? Effect.void)

  row(zone: number, batch: Batch.Batch): Chain.JournalRow {
    return this.turn.count(() => {
      writer.reset()
      BatchCodec.encode(writer, batch)
      const { hash: previous, sequence } = this.head
      const row = {
        zone,
        first: sequence + 1,
        last: sequence + Batch.eventCount(batch),
        epoch: this.epoch,
        time: batch.time,
        codec: BatchCodec.VERSION,
        payload: writer.take(),
        previous
      }
      return { ...row, hash: Chain.hashOf(row) }
    })
  }

  /** The request's reply will go to this place of a message. */
  park(session: number, request: number, parked: Parked, index: number): void {
    const key = `${session}:${request}`
    const places = this.parked.get(key)
    if (places === undefined) this.parked.set(key, [{ parked, index }])
    else places.push({ parked, index })
  }

  complete({ reply, request, session }: Batch.Completion): void {
    const key = `${session}:${request}`
    const places = this.parked.get(key) ?? []
    this.parked.delete(key)
    for (const { index, parked } of places) {
      parked.replies[index] = reply
      parked.missing--
      if (parked.missing > 0) continue
      parked.resume(Either.right(MessageCodec.encodeReplies(parked.replies as Array<ByteString>)))
    }
  }

  /** Nothing that waits will be answered in this life. */
  abandon(error: ZoneError.ZoneUnavailable): void {
    for (const places of this.parked.values()) for (const { parked } of places) parked.resume(Either.left(error))
    this.parked.clear()
  }
}

/** The state's SHA-256, run by run. */
function* digestSteps(state: ZoneState): Steps<Uint8Array> {
  const hash = createHash("sha256")
  for (const run of StateCodec.encode(state)) {
    hash.update(run)
    yield
  }
  return new Uint8Array(hash.digest())
}

/** Whether somebody waits for its answer. */
const isAsked = (work: Work): work is MessageWork | ReportWork => work._tag === "Message" || work._tag === "Report"

const decodeMessage = (bytes: Uint8Array, zone: number): Either.Either<MessageCodec.Message, ZoneError.BadMessage> => {
  try {
    const message = MessageCodec.decode(bytes)
    if (message.zone === zone) return Either.right(message)
    return Either.left(new ZoneError.BadMessage({ reason: `it is for zone ${message.zone}` }))
  } catch (cause) {
    if (cause instanceof Malformed) return Either.left(new ZoneError.BadMessage({ reason: cause.message }))
    throw cause
  }
}

const reasonOf = (cause: Cause.Cause<Death | ZoneError.ZoneUnavailable | ZoneError.ZoneDamaged>): string => {
  const error = Cause.squash(cause) as Death | Error
  if ("_tag" in error && error._tag === "DecideFailed") return String(error.cause)
  return error.message
}
