import * as Harness from "#actors/testing/ZoneHarness.ts"
import * as BatchCodec from "#domain/codec/BatchCodec.ts"
import * as MessageCodec from "#domain/codec/MessageCodec.ts"
import { Errno } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { END } from "#domain/Locks.ts"
import * as Chain from "#persistence/Chain.ts"
import type { JournalService } from "#persistence/Journal.ts"
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { describe, expect } from "vitest"

const { create, replyOf, ROOT, TestClient, ZONE } = Harness

const flockOf = (inode: number, owner: number, wait: boolean) =>
  ["lock", { inode, family: "flock", owner, start: 0, end: END, type: "write", pid: 1, wait }] as const

describe("a zone", () => {
  it.scopedLive("founds itself, decides, and answers after the commit", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const client = new TestClient(7)
      const [outcome] = yield* client.send(zone, create("a"))
      expect(replyOf("create", outcome).created).toBe(true)
      expect(harness.journal.rows(ZONE).map(({ first, last }) => [first, last])).toEqual([[1, 1], [2, 3]])
      expect(yield* Harness.names(zone)).toEqual(["a"])
    }))

  it.scopedLive("commits commands that wait together in one row", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      yield* zone.ready
      const before = harness.journal.rows(ZONE).length
      yield* Effect.forEach(Array.from({ length: 200 }, (_, index) => index), (index) =>
        new TestClient(100 + index).send(zone, create(`f${index}`)), { concurrency: "unbounded" })
      const after = harness.journal.rows(ZONE)
      expect(after.length - before).toBeLessThan(10)
      expect((yield* Harness.names(zone)).length).toBe(200)
    }))

  it.scopedLive("lets others have their turns while it decides a large batch", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const epoch = yield* zone.ready
      const rows = harness.journal.rows(ZONE).length
      const messages = Array.from({ length: 2 }, (_, number) =>
        new TestClient(100 + number).message(
          epoch,
          ...Array.from({ length: Limits.messageCommandsMax }, (_, index) => create(`${number}.${index}`))
        ))
      let turns = 0
      const counting = yield* Effect.fork(
        Effect.forever(Effect.async<void>((resume) => void setImmediate(() => resume(Effect.sync(() => void turns++)))))
      )
      yield* Effect.forEach(messages, (message) => Harness.submit(zone, message), { concurrency: "unbounded" })
      yield* Fiber.interrupt(counting)
      expect(harness.journal.rows(ZONE).length - rows).toBe(1)
      expect(turns).toBeGreaterThan(2)
      expect((yield* zone.report(false)).inodes).toBe(1 + 2 * Limits.messageCommandsMax)
    }))

  it.scopedLive("answers a message that comes again with the first answer, once decided", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const epoch = yield* zone.ready
      const client = new TestClient(7)
      const message = client.message(epoch, create("a"), create("a"))
      const first = yield* Harness.submit(zone, message)
      const rows = harness.journal.rows(ZONE).length
      expect(yield* Harness.submit(zone, message)).toEqual(first)
      expect(harness.journal.rows(ZONE).length).toBe(rows)
      expect(MessageCodec.decodeReplies(first, client.commands).map(({ errno }) => errno)).toEqual([0, Errno.EEXIST])
    }))

  it.scopedLive("whose commit's answer is lost restarts, and a retry gets the first answer", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const epoch = yield* zone.ready
      const client = new TestClient(7)
      const message = client.message(epoch, create("a"))
      harness.journal.faults.push("lose-reply")
      const error = yield* Effect.flip(Harness.submit(zone, message))
      expect(error._tag).toBe("ZoneUnavailable")
      const next = yield* zone.ready
      expect(next).toBe(epoch + 1)
      const stale = yield* Effect.flip(Harness.submit(zone, message))
      expect(stale).toMatchObject({ _tag: "StaleEpoch", epoch: next })
      const again = MessageCodec.encode({ ...MessageCodec.decode(message), epoch: next })
      const [outcome] = MessageCodec.decodeReplies(yield* Harness.submit(zone, again), client.commands)
      expect(replyOf("create", outcome).created).toBe(true)
      expect(yield* Harness.names(zone)).toEqual(["a"])
    }))

  it.scopedLive("whose append is refused lets no reply leave, and nothing happened", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      yield* zone.ready
      harness.journal.faults.push("refuse")
      const error = yield* Effect.flip(new TestClient(7).send(zone, create("a")))
      expect(error._tag).toBe("ZoneUnavailable")
      yield* zone.ready
      expect(yield* Harness.names(zone)).toEqual([])
    }))

  it.scopedLive("that was taken over cannot append, and its callers are told to look elsewhere or again", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const old = yield* harness.start()
      yield* old.ready
      const next = yield* harness.start()
      yield* next.ready
      yield* new TestClient(8).send(next, create("b"))
      const error = yield* Effect.flip(new TestClient(7).send(old, create("a")))
      expect(error._tag).toBe("ZoneUnavailable")
      expect(yield* Harness.names(next).pipe(Effect.retry({ times: 3 }))).toEqual(["b"])
    }))

  it.scopedLive("answers no read once its runner's lease has run out", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const epoch = yield* zone.ready
      harness.lease.take()
      expect((yield* Effect.flip(Harness.names(zone)))._tag).toBe("ZoneUnavailable")
      harness.lease.give()
      // Another one may have had the zone in between: only a claim tells.
      expect((yield* Effect.flip(Harness.names(zone)))._tag).toBe("ZoneUnavailable")
      expect(yield* zone.ready).toBe(epoch + 1)
      expect(yield* Harness.names(zone)).toEqual([])
    }))

  it.scoped("claims nothing while its runner holds no lease: whoever has the zone keeps it", () =>
    Effect.gen(function*() {
      const before = Harness.make()
      const old = yield* before.start()
      yield* old.ready
      const after = Harness.make(before)
      const next = yield* after.start()
      const epoch = yield* next.ready
      yield* new TestClient(8).send(next, create("a"))
      before.lease.take()
      yield* Effect.ignore(new TestClient(7).send(old, create("b")))
      const waiting = yield* Effect.fork(Effect.flip(old.ready))
      yield* TestClock.adjust(Duration.seconds(30))
      expect((yield* Fiber.join(waiting)).message).toContain("its runner holds no lease")
      expect((yield* next.report(false)).epoch).toBe(epoch)
      yield* new TestClient(9).send(next, create("c"))
      before.lease.give()
      expect(yield* old.ready).toBe(epoch + 1)
      expect(yield* Harness.names(old)).toEqual(["a", "c"])
    }))

  it.scoped("gives its claim up if the lease that it was made under is over when it is answered", () =>
    Effect.gen(function*() {
      const { blocks, journal } = Harness.make()
      let claims = 0
      const service: JournalService = {
        ...journal.service,
        claim: (zone, owner) =>
          Effect.tap(journal.service.claim(zone, owner), () =>
            Effect.sync(() => {
              if (++claims > 1) return
              harness.lease.take()
              harness.lease.give()
            }))
      }
      const harness = Harness.make({ blocks, journal: { ...journal, service } })
      const zone = yield* harness.start()
      const ready = yield* Effect.fork(zone.ready)
      yield* TestClock.adjust(Duration.seconds(1))
      expect(yield* Fiber.join(ready)).toBe(2)
      expect(harness.journal.rows(ZONE).map(({ epoch }) => epoch)).toEqual([2])
    }))

  it.scopedLive("comes back from its snapshot and the rows after it, byte for byte", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start({ snapshotEvents: 20 }), first)
      const client = new TestClient(7)
      for (let index = 0; index < 50; index++) yield* client.send(zone, create(`f${index}`))
      yield* Effect.repeat(harness.journal.service.snapshots(ZONE), { until: (all) => all.length > 0 })
      const before = yield* zone.report(true)
      yield* Scope.close(first, Exit.void)
      const snapshots = yield* harness.journal.service.snapshots(ZONE)
      expect(snapshots[0]?.head.sequence).toBeGreaterThanOrEqual(20)
      // Rows that the snapshot covers are not needed any more.
      harness.journal.rows(ZONE).splice(0, 1)
      const again = yield* harness.start()
      const after = yield* again.report(true)
      expect(after).toEqual({ ...before, epoch: before.epoch + 1 })
    }))

  it.scopedLive("uses an older snapshot, or none, when the newest is corrupt", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start({ snapshotEvents: 10 }), first)
      const client = new TestClient(7)
      for (let index = 0; index < 40; index++) yield* client.send(zone, create(`f${index}`))
      yield* Effect.repeat(harness.journal.service.snapshots(ZONE), { until: (all) => all.length > 1 })
      const before = yield* zone.report(true)
      yield* Scope.close(first, Exit.void)
      for (const key of harness.blocks.objects.keys()) harness.blocks.corrupt(key, 3)
      const again = yield* harness.start()
      expect((yield* again.report(true)).digest).toEqual(before.digest)
    }))

  it.scopedLive("whose history was changed stays closed and names the first bad event", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start(), first)
      const client = new TestClient(7)
      for (const name of ["a", "b", "c"]) yield* client.send(zone, create(name))
      yield* Scope.close(first, Exit.void)
      const rows = harness.journal.rows(ZONE)
      const row = rows[2] as Chain.JournalRow
      const payload = Uint8Array.from(row.payload)
      payload[payload.length - 1] = (payload[payload.length - 1] ?? 0) ^ 1
      rows[2] = { ...row, payload }
      const again = yield* harness.start()
      const error = yield* Effect.flip(again.ready)
      expect(error).toMatchObject({ _tag: "ZoneDamaged", sequence: row.first })
      expect((yield* Effect.flip(again.report(false)))._tag).toBe("ZoneDamaged")
    }))

  it.scoped("whose history was mended opens again by itself", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      yield* Effect.scoped(Effect.flatMap(harness.start(), (zone) => new TestClient(7).send(zone, create("a"))))
      const rows = harness.journal.rows(ZONE)
      const good = rows[1] as Chain.JournalRow
      rows[1] = { ...good, payload: good.payload.slice(0, -1) }
      const zone = yield* harness.start()
      expect((yield* Effect.flip(zone.ready))._tag).toBe("ZoneDamaged")
      rows[1] = good
      expect((yield* Effect.flip(zone.ready))._tag).toBe("ZoneDamaged")
      yield* TestClock.adjust(Duration.seconds(31))
      expect(yield* zone.ready).toBeGreaterThan(1)
      expect(yield* Harness.names(zone)).toEqual(["a"])
    }))

  it.scopedLive("does not take a row whose hash fits but whose events cannot have happened", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const first = yield* Scope.make()
      const zone = yield* Scope.extend(harness.start(), first)
      yield* new TestClient(7).send(zone, create("a"))
      yield* Scope.close(first, Exit.void)
      const rows = harness.journal.rows(ZONE)
      const last = rows[rows.length - 1] as Chain.JournalRow
      const payload = Uint8Array.from(rows[1]?.payload ?? [])
      const forged = {
        ...last,
        first: last.last + 1,
        last: last.last + 2,
        payload: payload.slice(0, -3),
        previous: last.hash
      }
      rows.push({ ...forged, hash: Chain.hashOf(forged) })
      const again = yield* harness.start()
      expect(yield* Effect.flip(again.ready)).toMatchObject({ _tag: "ZoneDamaged", sequence: last.last + 1 })
    }))

  it.scopedLive("grants a lock to the one who waits, in a later batch, and tells it", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const holder = new TestClient(7)
      const waiter = new TestClient(8)
      const [made] = yield* holder.send(zone, create("a"))
      const { inode } = replyOf("create", made).attributes
      yield* holder.send(zone, flockOf(inode, 1, false))
      const waiting = yield* Effect.fork(waiter.send(zone, flockOf(inode, 1, true)))
      yield* Effect.repeat(waitersOf(harness), { until: (count) => count === 1 })
      expect(waiting.unsafePoll()).toBeNull()
      const { end, family, owner, start } = flockOf(inode, 1, false)[1]
      yield* holder.send(zone, ["unlock", { inode, family, owner, start, end }])
      expect(yield* Fiber.join(waiting)).toEqual([{ errno: 0, reply: undefined }])
    }))

  it.scopedLive("keeps a waiter over its restart: the same request attaches again and is granted once", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const holder = new TestClient(7)
      const waiter = new TestClient(8)
      const [made] = yield* holder.send(zone, create("a"))
      const { inode } = replyOf("create", made).attributes
      yield* holder.send(zone, flockOf(inode, 1, false))
      const epoch = yield* zone.ready
      const message = waiter.message(epoch, flockOf(inode, 1, true))
      const waiting = yield* Effect.fork(Effect.flip(Harness.submit(zone, message)))
      yield* Effect.repeat(waitersOf(harness), { until: (count) => count === 1 })
      harness.journal.faults.push("refuse")
      yield* Effect.ignore(holder.send(zone, create("b")))
      expect((yield* Fiber.join(waiting))._tag).toBe("ZoneUnavailable")
      const next = yield* zone.ready
      const again = MessageCodec.encode({ ...MessageCodec.decode(message), epoch: next })
      const attached = yield* Effect.fork(Harness.submit(zone, again))
      const { end, family, owner, start } = flockOf(inode, 1, false)[1]
      yield* holder.send(zone, ["unlock", { inode, family, owner, start, end }])
      expect(MessageCodec.decodeReplies(yield* Fiber.join(attached), waiter.commands)).toEqual([{
        errno: 0,
        reply: undefined
      }])
      expect(yield* waitersOf(harness)).toBe(0)
    }))

  it.scoped("ends a silent session, and with it its locks and its files without a name", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start({ sessionLease: Duration.seconds(60) })
      const silent = new TestClient(7)
      const alive = new TestClient(8)
      const [made] = yield* silent.send(zone, create("a", 3))
      const { inode } = replyOf("create", made).attributes
      yield* silent.send(zone, flockOf(inode, 1, false), ["unlink", { parent: ROOT, name: "a" }])
      const waiting = yield* Effect.fork(alive.send(zone, flockOf(inode, 1, true)))
      yield* TestClock.adjust(Duration.seconds(40))
      yield* zone.touch(8)
      expect((yield* zone.report(false)).inodes).toBe(2)
      yield* TestClock.adjust(Duration.seconds(31))
      expect(yield* Fiber.join(waiting)).toEqual([{ errno: 0, reply: undefined }])
      // The file has no name and nobody has it open, but somebody holds its lock.
      expect(yield* zone.report(false)).toMatchObject({ inodes: 2, sessions: 1 })
      const { end, family, owner, start } = flockOf(inode, 1, false)[1]
      yield* alive.send(zone, ["unlock", { inode, family, owner, start, end }])
      expect(yield* zone.report(false)).toMatchObject({ inodes: 1, sessions: 1 })
      silent.known = true
      expect((yield* Effect.flip(silent.send(zone, create("b"))))._tag).toBe("SessionLost")
    }))

  it.scoped("does not end a session whose client's heart beats, however long", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start({ sessionLease: Duration.seconds(60) })
      yield* new TestClient(7).send(zone, create("a"))
      for (let beats = 0; beats < 20; beats++) {
        yield* TestClock.adjust(Duration.seconds(30))
        yield* zone.touch(7)
      }
      expect((yield* zone.report(false)).sessions).toBe(1)
    }))

  it.scoped("lets a session end at its time, however the wall clock is set meanwhile", () =>
    Effect.gen(function*() {
      const clock = yield* Effect.clock
      let jumped = 0
      const wall = new Proxy(clock, {
        get: (target, field) => {
          if (field === "unsafeCurrentTimeMillis") return () => target.unsafeCurrentTimeMillis() + jumped
          if (field === "currentTimeMillis") return Effect.sync(() => target.unsafeCurrentTimeMillis() + jumped)
          const value: unknown = Reflect.get(target, field, target)
          return typeof value === "function" ? value.bind(target) : value
        }
      })
      const harness = Harness.make()
      const zone = yield* Effect.withClock(harness.start({ sessionLease: Duration.seconds(60) }), wall)
      yield* new TestClient(7).send(zone, create("a"))
      jumped = 7_200_000
      yield* TestClock.adjust(Duration.seconds(30))
      expect(yield* zone.report(false)).toMatchObject({ sessions: 1 })
      jumped = -7_200_000
      yield* TestClock.adjust(Duration.seconds(45))
      expect(yield* zone.report(false)).toMatchObject({ sessions: 0 })
    }))

  it.scopedLive("says that it is busy when its mailbox is full, and loses nothing that it took", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const epoch = yield* zone.ready
      const clients = Array.from(
        { length: Limits.mailboxMessagesMax + 100 },
        (_, index) => new TestClient(1000 + index)
      )
      const outcomes = yield* Effect.forEach(
        clients,
        (client, index) => Effect.either(Harness.submit(zone, client.message(epoch, create(`f${index}`)))),
        { concurrency: "unbounded" }
      )
      const busy = outcomes.filter((outcome) => outcome._tag === "Left")
      expect(busy.length).toBeGreaterThan(0)
      for (const outcome of busy) expect(outcome._tag === "Left" && outcome.left._tag).toBe("ZoneBusy")
      expect((yield* Harness.names(zone)).length).toBe(clients.length - busy.length)
    }))

  it.scopedLive("refuses bytes that are no message, and messages for another zone", () =>
    Effect.gen(function*() {
      const zone = yield* Harness.make().start()
      expect(yield* Effect.flip(Harness.submit(zone, new Uint8Array([1, 3, 0])))).toMatchObject({ _tag: "BadMessage" })
      const message = new TestClient(7).message(1, create("a"))
      const other = MessageCodec.encode({ ...MessageCodec.decode(message), zone: ZONE + 1 })
      expect((yield* Effect.flip(Harness.submit(zone, other))).message).toContain(`for zone ${ZONE + 1}`)
    }))

  it.scopedLive("tells each commit to those who follow it", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      yield* zone.ready
      const followed = yield* Effect.fork(
        Stream.runCollect(Stream.takeUntil(zone.committed, (sequence) => sequence >= 4))
      )
      const client = new TestClient(7)
      yield* client.send(zone, create("a"))
      yield* client.send(zone, create("b"))
      expect([...yield* Fiber.join(followed)].at(-1)).toBe(4)
    }))

  it.scopedLive("never moves its time back, whatever the clock does", () =>
    Effect.gen(function*() {
      const harness = Harness.make()
      const zone = yield* harness.start()
      const client = new TestClient(7)
      for (const name of ["a", "b", "c"]) yield* client.send(zone, create(name))
      const times = harness.journal.rows(ZONE).map(({ time }) => time.seconds * 1e9 + time.nanos)
      expect(times).toEqual([...times].sort((a, b) => a - b))
    }))
})

/** Waiters for locks, as the journal's events leave them. */
const waitersOf = (harness: Harness.Harness): Effect.Effect<number> =>
  Effect.sync(() => {
    let waiting = 0
    for (const row of harness.journal.rows(ZONE)) {
      for (const { events } of BatchCodec.decode(row.payload, row.time).records) {
        for (const { _tag } of events) {
          if (_tag === "LockAwaited") waiting++
          if (_tag === "LockGranted" || _tag === "LockAbandoned") waiting--
        }
      }
    }
    return waiting
  })
