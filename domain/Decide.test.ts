import type { Message } from "#domain/codec/MessageCodec.ts"
import { Decider, type Decision, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { nameOf } from "#domain/Errno.ts"
import { Limits } from "#domain/Limits.ts"
import { operations } from "#domain/Operations.ts"
import { type Actor, alice, bob, carol, descriptorOf, root } from "#domain/testing/Actors.ts"
import { given } from "#domain/testing/Given.ts"
import { awaited, directory, ended, file, locked, lockOf, removed, unset } from "#domain/testing/Steps.ts"
import { type Ask, ask, bytesOf, replyOf, type World } from "#domain/testing/World.ts"
import { describe, expect, it } from "vitest"

/** Somebody whom the zone does not know yet. */
const dave: Actor = { name: "dave", session: 77, who: { uid: 0, gid: 0, groups: [] } }

/** A message with these commands, numbered on from the actor's last. */
const messageOf = (world: World, actor: Actor, asks: ReadonlyArray<Ask>, fields: Partial<Message> = {}): Message =>
  world.message(actor, asks.map((asked) => world.command(asked)), fields)

/** What the commands of a message came to: `waits`, the name of an errno, or `ok`. */
const outcomes = (world: World, message: Message): ReadonlyArray<string> =>
  world.decide(message).map((decision, index) => {
    if (decision === WAITS) return "waits"
    const { errno } = replyOf(message.commands[index]!, decision.reply)
    return errno === 0 ? "ok" : nameOf(errno)
  })

/** The same, as a batch of its own. */
const alone = (world: World, message: Message) => {
  world.begin()
  const found = outcomes(world, message)
  return { outcomes: found, ...world.commit() }
}

const reserve = (actor: Actor): Ask => ask(actor, "reserveSlices", ({ root }) => ({ inode: root, count: 1 }))
const unlink = (actor: Actor, path: string): Ask => ask(actor, "unlink", ({ place }) => place(path))
const stat = (actor: Actor, inode: number): Ask => ask(actor, "getAttributes", { inode })
const create = (actor: Actor, parent: number, name: string, exclusive = false): Ask =>
  ask(actor, "create", { parent, name, mode: 0o644, umask: 0, exclusive, truncate: false, access: 0 })
const makeDirectory = (actor: Actor, parent: number, name: string): Ask =>
  ask(actor, "makeDirectory", { parent, name, mode: 0o755, umask: 0 })
const lookup = (actor: Actor, parent: number, name: string): Ask => ask(actor, "lookup", { parent, name })

describe("a message of many commands", () => {
  it("is decided in parts as it is at once", () => {
    const made = (most?: number) => {
      const { world } = given()
      const names = Array.from({ length: 100 }, (_, index) => `f${index % 60}`)
      const message = messageOf(
        world,
        root,
        names.flatMap((name) => [create(root, 1, name, true), lookup(root, 1, name)])
      )
      world.begin()
      const decider = new Decider(world.live)
      const decisions: Array<Decision> = []
      const sizes: Array<number> = []
      while (decisions.length < message.commands.length) {
        expect(decider.decide(message, decisions, most)).toBe(decisions)
        sizes.push(decisions.length)
      }
      return { decisions, sizes, records: decider.take().batch?.records.length }
    }
    const { decisions, records, sizes } = made()
    expect(sizes).toEqual([200])
    const parts = made(640)
    expect(parts.sizes.length).toBeGreaterThan(10)
    expect(parts.sizes[0]).toBeGreaterThan(1)
    expect([parts.decisions, parts.records]).toEqual([decisions, records])
  })
})

describe("a command that comes twice", () => {
  it("is answered by the same activation with the same bytes, and happens once", () => {
    const { world } = given()
    const message = messageOf(world, root, [reserve(root), create(root, 1, "x")])
    world.begin()
    const first = world.decide(message)
    expect(world.decide(message)).toEqual(first)
    expect(world.commit().batch?.records).toHaveLength(2)
    world.begin()
    expect(world.decide(message)).toEqual(first)
    expect(world.commit().batch).toBeUndefined()
  })

  it("is answered by the next activation with the same bytes", () => {
    const { world } = given(file("/x"))
    const message = messageOf(world, root, [reserve(root), unlink(root, "/x")])
    world.begin()
    const first = world.decide(message)
    world.commit()
    file("/x")(world)
    world.restart()
    world.begin()
    expect(world.decide(message)).toEqual(first)
    expect(world.commit().batch).toBeUndefined()
    expect(world.find("/x").nlink).toBe(1)
  })

  it("stays refused in the same activation, whatever has changed since", () => {
    const { world } = given()
    const message = messageOf(world, root, [unlink(root, "/x")])
    expect(alone(world, message).outcomes).toEqual(["ENOENT"])
    file("/x")(world)
    expect(alone(world, message)).toMatchObject({ outcomes: ["ENOENT"], batch: undefined })
  })

  it("keeps an answer that changed nothing in the same activation", () => {
    const { world } = given()
    const again = messageOf(world, alice, [world.opening(alice)])
    world.begin()
    const first = world.decide(again)
    expect(world.decide(again)).toEqual(first)
    expect(world.commit().batch).toBeUndefined()
  })

  it("is told from new ones of the same message", () => {
    const { world } = given()
    const one = messageOf(world, root, [create(root, 1, "x", true)])
    alone(world, one)
    const both = { ...one, commands: [...one.commands, world.command(create(root, 1, "y", true))] }
    const { batch, outcomes } = alone(world, both)
    expect(outcomes).toEqual(["ok", "ok"])
    expect(batch?.records).toHaveLength(1)
  })

  it("may do so within one message", () => {
    const { world } = given()
    const [command] = messageOf(world, root, [create(root, 1, "x", true)]).commands
    expect(alone(world, world.message(root, [command!, command!]))).toMatchObject({ outcomes: ["ok", "ok"] })
    expect(world.live.inodeCount).toBe(2)
  })

  it("is another one in another session", () => {
    const { world } = given(directory("/d", { mode: 0o777 }))
    world.skipTo(alice, 100)
    world.skipTo(bob, 100)
    alone(world, messageOf(world, alice, [create(alice, world.at("/d"), "a", true)]))
    expect(alone(world, messageOf(world, bob, [create(bob, world.at("/d"), "a", true)])).outcomes).toEqual(["EEXIST"])
  })

  it("gets its first answer, though what it refers to would answer otherwise by now", () => {
    const { world } = given(file("/x"))
    const size = ask(root, "setAttributes", { ...unset, inode: -1, size: 7 })
    const message = messageOf(world, root, [lookup(root, 1, "x"), size])
    expect(alone(world, message).outcomes).toEqual(["ok", "ok"])
    removed("/x", "x")(world)
    expect(alone(world, message).outcomes).toEqual(["ENOENT", "ok"])
    world.restart()
    expect(alone(world, message)).toMatchObject({ outcomes: ["ENOENT", "ok"], batch: undefined })
  })
})

describe("the floor of a session", () => {
  it("lets the zone forget the replies below it, with the next batch", () => {
    const { world } = given()
    const replies = () => [...world.live.expectSession(alice.session).replies.keys()].filter((number) => number > 1)
    for (let i = 0; i < 5; i++) alone(world, messageOf(world, alice, [reserve(alice)]))
    expect(replies()).toEqual([2, 3, 4, 5, 6])
    expect(alone(world, messageOf(world, alice, [stat(alice, 1)], { floor: 4 })).batch).toBeUndefined()
    expect(replies()).toEqual([2, 3, 4, 5, 6])
    const { batch } = alone(world, messageOf(world, bob, [reserve(bob)]))
    expect(batch?.floors).toEqual([{ session: alice.session, floor: 4 }])
    expect(replies()).toEqual([4, 5, 6])
    world.restart()
    expect(replies()).toEqual([4, 5, 6])
  })

  it("never goes down, and is told to the journal once", () => {
    const { world } = given()
    alone(world, messageOf(world, alice, [reserve(alice)], { floor: 2 }))
    for (const floor of [1, 2]) {
      expect(alone(world, messageOf(world, alice, [reserve(alice)], { floor })).batch?.floors).toEqual([])
    }
    expect(world.live.expectSession(alice.session).floor).toBe(2)
  })

  it("cancels what comes late from below it", () => {
    const { world } = given()
    const late = messageOf(world, alice, [reserve(alice)])
    alone(world, messageOf(world, alice, [reserve(alice)], { floor: 3 }))
    expect(alone(world, late)).toMatchObject({ outcomes: ["ECANCELED"], batch: undefined })
    world.restart()
    expect(alone(world, late)).toMatchObject({ outcomes: ["ECANCELED"], batch: undefined })
  })

  it("cancels a refused command that comes late, though no batch has carried the floor yet", () => {
    const { world } = given(directory("/d", { mode: 0o777 }))
    const late = messageOf(world, root, [unlink(root, "/d/x")])
    expect(alone(world, late).outcomes).toEqual(["ENOENT"])
    alone(world, messageOf(world, root, [stat(root, 1)], { floor: world.last(root) + 1 }))
    world.begin()
    world.decide(messageOf(world, alice, [create(alice, world.at("/d"), "x")]))
    expect(outcomes(world, late)).toEqual(["ECANCELED"])
    world.commit()
    expect(world.stat("/d/x").uid).toBe(1000)
  })

  it("may be as high as a message can say", () => {
    const { world } = given()
    world.begin()
    world.decide(messageOf(world, alice, [stat(alice, 1)], { floor: Number.MAX_SAFE_INTEGER }))
    world.decide(messageOf(world, bob, [reserve(bob)]))
    expect(() => world.commit()).not.toThrow()
  })
})

describe("the window of a session", () => {
  const remembered = (world: World): void =>
    world.forge((state) => {
      const session = state.expectSession(alice.session)
      for (let number = 1; number <= Limits.repliesPerSessionMax; number++) session.remember(number, "\0\0")
    })

  it("is as many replies as the zone remembers for one session", () => {
    const { world } = given(remembered)
    world.skipTo(alice, Limits.repliesPerSessionMax + 1)
    const { outcomes } = alone(world, messageOf(world, alice, [stat(alice, 1), reserve(alice)]))
    expect(outcomes).toEqual(["ok", "EAGAIN"])
    expect(alone(world, messageOf(world, bob, [reserve(bob)])).outcomes).toEqual(["ok"])
  })

  it("opens with the floor that a message tells, though no batch has carried it yet", () => {
    const { world } = given(remembered)
    const floor = Limits.repliesPerSessionMax + 1
    world.skipTo(alice, floor)
    expect(alone(world, messageOf(world, alice, [reserve(alice)], { floor })).outcomes).toEqual(["ok"])
    expect(world.live.expectSession(alice.session).replies.size).toBe(1)
  })

  it("does not move with requests that the zone remembers nothing of: reads, and those to other zones", () => {
    const { world } = given()
    world.skipTo(alice, Limits.repliesPerSessionMax * 3)
    expect(alone(world, messageOf(world, alice, [stat(alice, 1)])).outcomes).toEqual(["ok"])
    const floor = world.last(alice) + 1
    expect(alone(world, messageOf(world, alice, [reserve(alice)], { floor })).outcomes).toEqual(["ok"])
  })

  it("begins at the floor of the message that opens the session", () => {
    const { world } = given()
    const floor = Limits.repliesPerSessionMax + 5
    world.skipTo(dave, floor)
    const { outcomes } = alone(world, messageOf(world, dave, [reserve(dave), reserve(dave)], { floor }))
    expect(outcomes).toEqual(["ok", "ok"])
  })

  it("does not close because one request waits for long", () => {
    const { world } = given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"))
    world.skipTo(alice, Limits.repliesPerSessionMax * 3)
    const message = messageOf(world, alice, [reserve(alice)], { floor: world.the("alice") })
    expect(alone(world, message).outcomes).toEqual(["ok"])
  })
})

describe("a session", () => {
  it("is opened by its first change alone", () => {
    const { world } = given(file("/x"))
    expect(alone(world, messageOf(world, dave, [stat(dave, 1)])).batch).toBeUndefined()
    const { batch } = alone(world, messageOf(world, dave, [stat(dave, 1), reserve(dave), reserve(dave)]))
    expect(batch?.records.map(({ events }) => events.map(({ _tag }) => _tag))).toEqual([
      ["SessionOpened"],
      ["SlicesReserved"],
      ["SlicesReserved"]
    ])
    expect(alone(world, messageOf(world, dave, [reserve(dave)])).batch?.records).toHaveLength(1)
  })

  it("cannot be opened without saying whose it is", () => {
    const { world } = given()
    const message = messageOf(world, dave, [reserve(dave), stat(dave, 1)], { descriptor: undefined })
    expect(alone(world, message)).toMatchObject({ outcomes: ["EINVAL", "ok"], batch: undefined })
  })

  it("that believes to be known and is not has ended", () => {
    const { world } = given()
    world.begin()
    expect(world.decider.decide(messageOf(world, dave, [stat(dave, 1)], { known: true }))).toBe(SESSION_ENDED)
    expect(world.decider.decide(messageOf(world, dave, [reserve(dave)], { known: true }))).toBe(SESSION_ENDED)
    expect(world.commit().batch).toBeUndefined()
  })

  it("that ended does not come back, neither to this activation nor to the next", () => {
    const { world } = given(ended(alice))
    const message = messageOf(world, alice, [reserve(alice)], { known: false, descriptor: descriptorOf(alice) })
    world.begin()
    expect(world.decider.decide(message)).toBe(SESSION_ENDED)
    world.restart()
    world.begin()
    expect(world.decider.decide(message)).toBe(SESSION_ENDED)
    expect(world.commit().batch).toBeUndefined()
  })

  it("that ended does not come back in the message that ends it", () => {
    const { world } = given()
    const end = ask(dave, "endSession", { inode: 1, session: dave.session, reason: "closed" })
    const { outcomes } = alone(world, messageOf(world, dave, [reserve(dave), end, reserve(dave)]))
    expect(outcomes.slice(0, 2)).toEqual(["ok", "ok"])
    expect(outcomes[2]).not.toBe("ok")
    expect([world.live.sessions.has(dave.session), world.live.ended.has(dave.session)]).toEqual([false, true])
  })

  it("that ended leaves no refusals behind in the activation", () => {
    const { world } = given()
    alone(world, messageOf(world, alice, [unlink(alice, "/no"), unlink(alice, "/no")]))
    const refusals = Reflect.get(world.decider, "refusals") as ReadonlyMap<number, unknown>
    expect(refusals.has(alice.session)).toBe(true)
    ended(alice)(world)
    expect(refusals.has(alice.session)).toBe(false)
  })

  it("is remembered as ended while others come and go, up to a limit", () => {
    const { world } = given()
    for (let session = 0; session < Limits.endedSessionsMax + 1; session++) world.live.rememberEnded(1000 + session)
    expect(world.live.ended.size).toBe(Limits.endedSessionsMax)
    expect([world.live.ended.has(1000), world.live.ended.has(1001)]).toEqual([false, true])
  })

  it("with number 0 is the zone's own: it reads, and a message of it changes nothing", () => {
    const { world } = given(file("/x"))
    const zone: Actor = { ...root, session: 0 }
    expect(alone(world, messageOf(world, zone, [stat(zone, 1), unlink(zone, "/x")]))).toMatchObject({
      outcomes: ["ok", "EINVAL"],
      batch: undefined
    })
  })
})

describe("references to earlier commands", () => {
  it("stand for the inode that those replied with", () => {
    const { world } = given()
    const { outcomes } = alone(
      world,
      messageOf(world, root, [
        makeDirectory(root, 1, "d"),
        makeDirectory(root, -1, "e"),
        create(root, -1, "x"),
        create(root, -3, "y"),
        stat(root, -1),
        ask(root, "link", { inode: -3, parent: -5, name: "z" })
      ])
    )
    expect(outcomes).toEqual(["ok", "ok", "ok", "ok", "ok", "ok"])
    expect(world.at("/d/e/x")).toBe(world.at("/d/z"))
    expect(world.stat("/d/y").nlink).toBe(1)
  })

  it("stand for what a lookup found", () => {
    const { world } = given(directory("/d"))
    alone(world, messageOf(world, root, [lookup(root, 1, "d"), create(root, -1, "x")]))
    expect(world.stat("/d/x").nlink).toBe(1)
  })

  it("cancel a whole chain after a refusal, and nothing beside it", () => {
    const { world } = given(file("/x"))
    const message = messageOf(world, root, [
      makeDirectory(root, 1, "x"),
      makeDirectory(root, -1, "a"),
      create(root, -1, "b"),
      stat(root, -1),
      create(root, 1, "y")
    ])
    expect(alone(world, message).outcomes).toEqual(["EEXIST", "ECANCELED", "ECANCELED", "ECANCELED", "ok"])
    expect(alone(world, message)).toMatchObject({
      outcomes: ["EEXIST", "ECANCELED", "ECANCELED", "ECANCELED", "ok"],
      batch: undefined
    })
  })

  it("cancel where they point before the message, or to what has no inode", () => {
    const { world } = given(file("/x"), file("/y"), locked(alice, "/y"))
    const { outcomes } = alone(
      world,
      messageOf(world, root, [
        create(root, -1, "a"),
        unlink(root, "/x"),
        create(root, -1, "b"),
        lockOf(root, "/y", { wait: true }),
        create(root, -1, "c"),
        create(root, -100, "d")
      ])
    )
    expect(outcomes).toEqual(["ECANCELED", "ok", "ECANCELED", "waits", "ECANCELED", "ECANCELED"])
  })

  it("resolve to the same inodes when the message comes again", () => {
    const { world } = given()
    const message = messageOf(world, root, [makeDirectory(root, 1, "d"), create(root, -1, "x"), stat(root, -1)])
    world.begin()
    const first = world.decide(message)
    world.commit()
    world.restart()
    world.begin()
    expect(world.decide(message)).toEqual(first)
    expect(world.commit().batch).toBeUndefined()
  })
})

describe("a request that waits", () => {
  it("is attached to again and not queued twice, by this activation and the next", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
    const message = messageOf(world, alice, [lockOf(alice, "/x", { wait: true })])
    expect(alone(world, message).outcomes).toEqual(["waits"])
    expect(alone(world, message)).toMatchObject({ outcomes: ["waits"], batch: undefined })
    world.restart()
    expect(alone(world, message)).toMatchObject({ outcomes: ["waits"], batch: undefined })
    expect(world.find("/x").waiters).toHaveLength(1)
  })

  it("is attached to again, though what it refers to would answer otherwise by now", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
    const { request } = lockOf(alice, "/x", { wait: true })
    if (typeof request !== "function") throw new Error("no request")
    const wait = ask(alice, "lock", { ...request(world), inode: -1 })
    const message = messageOf(world, alice, [lookup(alice, 1, "x"), wait])
    expect(alone(world, message).outcomes).toEqual(["ok", "waits"])
    removed("/x", "x")(world)
    expect(alone(world, message).outcomes).toEqual(["ENOENT", "waits"])
  })

  it("has its answer after the grant, for this activation and the next", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
    const message = messageOf(world, alice, [lockOf(alice, "/x", { wait: true })])
    alone(world, message)
    const { completed } = alone(world, messageOf(world, root, [unlock(root)]))
    expect(completed).toEqual([{ session: alice.session, request: world.last(alice), reply: "\0\0" }])
    expect(alone(world, message)).toMatchObject({ outcomes: ["ok"], batch: undefined })
    world.restart()
    expect(alone(world, message)).toMatchObject({ outcomes: ["ok"], batch: undefined })
  })

  it("may wait and be granted within one batch", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
    world.begin()
    expect(outcomes(world, messageOf(world, alice, [lockOf(alice, "/x", { wait: true })]))).toEqual(["waits"])
    expect(outcomes(world, messageOf(world, root, [unlock(root)]))).toEqual(["ok"])
    expect(world.commit().completed).toEqual([{ session: alice.session, request: world.last(alice), reply: "\0\0" }])
  })

  it("is completed in the order of the grants, each once", () => {
    const { world } = given(file("/x"), locked(root, "/x"))
      .and(awaited("bob", bob, "/x", { type: "read" }), awaited("alice", alice, "/x", { type: "read" }))
    const { completed } = alone(world, messageOf(world, root, [unlock(root), unlock(root)]))
    expect(completed.map(({ session }) => session)).toEqual([bob.session, alice.session])
    expect(alone(world, messageOf(world, root, [reserve(root)])).completed).toEqual([])
  })

  it("does not stand in the way of the session's other commands", () => {
    const { world } = given(file("/x"), locked(root, "/x"), awaited("alice", alice, "/x"))
    expect(alone(world, messageOf(world, alice, [reserve(alice), stat(alice, 1)])).outcomes).toEqual(["ok", "ok"])
  })
})

describe("a batch", () => {
  it("is none when nothing has changed", () => {
    const { world } = given(file("/x"))
    const message = messageOf(world, carol, [stat(carol, 1), unlink(carol, "/x"), unlink(carol, "/no")])
    expect(alone(world, message)).toMatchObject({ outcomes: ["ok", "EACCES", "ENOENT"], batch: undefined })
    expect(world.decider.take()).toEqual({ batch: undefined, completed: [] })
  })

  it("that is none leaves every byte of the state, its time among them", () => {
    const { world } = given(file("/x"))
    const before = bytesOf(world.live)
    world.begin()
    world.decide(messageOf(world, carol, [stat(carol, 1), unlink(carol, "/x")]))
    expect(world.decider.take().batch).toBeUndefined()
    expect(Buffer.compare(bytesOf(world.live), before)).toBe(0)
  })

  it("tells of each command who asked what, at one time", () => {
    const { world } = given(directory("/d", { mode: 0o777 }))
    world.begin()
    world.decide(messageOf(world, alice, [create(alice, world.at("/d"), "a"), stat(alice, 1)]))
    world.decide(messageOf(world, bob, [create(bob, world.at("/d"), "b")]))
    expect(world.decider.commandCount).toBe(2)
    const { batch } = world.commit()
    expect(batch?.time).toEqual(world.live.time)
    expect(batch?.records.map(({ operation, request, session, uid }) => [session, request, uid, operation])).toEqual([
      [alice.session, world.last(alice) - 1, 1000, operations.create.code],
      [bob.session, world.last(bob), 1001, operations.create.code]
    ])
    expect(world.decider.commandCount).toBe(0)
  })

  it("shows each command what those before it did, refused ones and reads among them", () => {
    const { world } = given()
    const { outcomes } = alone(
      world,
      messageOf(world, root, [
        lookup(root, 1, "x"),
        create(root, 1, "x"),
        lookup(root, 1, "x"),
        create(root, 1, "x", true),
        unlink(root, "/x"),
        unlink(root, "/x")
      ])
    )
    expect(outcomes).toEqual(["ENOENT", "ok", "ok", "EEXIST", "ok", "ENOENT"])
  })

  it("holds what the zone asks of itself, without a session", () => {
    const { world } = given()
    world.begin()
    world.decider.decideOwn(operations.reserveSlices, { inode: 1, count: 2 })
    world.decider.decideOwn(operations.reserveSlices, { inode: 1, count: 0 })
    expect(world.commit().batch?.records).toMatchObject([{ session: 0, request: 0, uid: 0 }])
  })
})

const unlock = (actor: Actor): Ask => {
  const { request } = lockOf(actor, "/x")
  if (typeof request !== "function") throw new Error("no request")
  return ask(actor, "unlock", (world) => {
    const { end, family, inode, owner, start } = request(world)
    return { inode, family, owner, start, end }
  })
}
