/**
 * Random traffic for a zone: several users and sessions, every operation, in messages and batches of any size, with
 * repeated messages, failovers and sessions that end. The same seed always asks the same things. What must hold
 * meanwhile is checked by `World` after every batch, and here for replies.
 */
import type { Completion } from "#domain/Batch.ts"
import type { ByteString } from "#domain/ByteString.ts"
import type { Command, Message } from "#domain/codec/MessageCodec.ts"
import { type Decision, isRead, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { nameOf } from "#domain/Errno.ts"
import { type OperationName, operations } from "#domain/Operations.ts"
import { type Actor, descriptorOf, everybody } from "#domain/testing/Actors.ts"
import { Dice } from "#domain/testing/Dice.ts"
import { same } from "#domain/testing/Same.ts"
import { requests, Turn } from "#domain/testing/TrafficRequest.ts"
import { World } from "#domain/testing/World.ts"

interface Asked {
  readonly message: Message
  /** What each command was answered first; of one that waits, what completed it. */
  readonly replies: Array<ByteString | typeof WAITS>
  /** The activation that decided it. */
  readonly life: number
  readonly happened: ReadonlyArray<boolean>
}

export class Traffic {
  readonly world = World.founded()
  /** How often each operation came to each outcome, such as `rename ok` or `unlink ENOENT`. */
  readonly outcomes = new Map<string, number>()
  private readonly dice: Dice
  private actors: Array<Actor> = [...everybody]
  private readonly asked: Array<Asked> = []
  /** What each session has told of its answers. */
  private readonly floors = new Map<number, number>()
  private nextSession = 100
  private life = 0

  constructor(seed: number) {
    this.dice = new Dice(seed)
  }

  /** Decides about so many commands. */
  run(commands: number): void {
    const { dice, world } = this
    for (let count = 0; count < commands;) {
      world.begin()
      for (let messages = 1 + dice.below(4); messages > 0; messages--) count += this.message()
      if (dice.chance(3)) this.expire()
      for (const completion of world.commit().completed) this.complete(completion)
      if (dice.chance(10)) this.repeat()
      if (dice.chance(4)) {
        world.restart()
        this.life++
      }
    }
  }

  private actor(): Actor {
    return this.dice.of(this.actors)
  }

  /** Sends a message of a few commands; how many. */
  private message(): number {
    const { dice, world } = this
    const actor = this.actor()
    const commands: Array<Command> = []
    for (let count = 1 + dice.below(4); count > 0; count--) commands.push(this.command(actor, commands))
    const message = world.message(actor, commands, { descriptor: descriptorOf(actor), floor: this.floor(actor) })
    const decisions = world.asked(message)
    if (decisions === SESSION_ENDED) throw new Error(`session ${actor.session} has ended`)
    const replies = decisions.map((decision) => (decision === WAITS ? WAITS : decision.reply))
    for (const [index, reply] of replies.entries()) this.note(commands[index] as Command, reply)
    const remembered = world.live.sessions.get(actor.session)?.replies
    const happened = commands.map(({ number }) => remembered?.has(number) === true)
    this.asked.push({ message, replies, life: this.life, happened })
    this.replaceIfEnded(actor)
    return commands.length
  }

  private note({ operation }: Command, reply: ByteString | typeof WAITS): void {
    const errno = reply === WAITS ? 0 : reply.charCodeAt(0)
    const outcome = `${operation.name} ${reply === WAITS ? WAITS : errno === 0 ? "ok" : nameOf(errno)}`
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1)
  }

  private command(actor: Actor, before: ReadonlyArray<Command>): Command {
    const { dice, world } = this
    const name = dice.of(WEIGHTED)
    const turn = new Turn(world, dice, actor)
    const request = requests[name](turn) as { readonly [field: string]: unknown }
    const operation = operations[name] as unknown as Command["operation"]
    const number = world.last(actor) + 1
    world.skipTo(actor, number + 1)
    const [field] = operation.request.inodeFields
    const last = before.at(-1)
    // Now and then what the command before has made; not what it only found, as another time it may not.
    const refers = field !== undefined && last !== undefined && makes.has(last.operation.name) && dice.chance(30)
    return { operation, number, who: actor.who, request: refers ? { ...request, [field]: -1 } : request }
  }

  /** Every request below it is answered; some time after it is so. */
  private floor(actor: Actor): number {
    const own = this.asked.filter(({ message }) => message.session === actor.session)
    const waiting = own.find(({ replies }) => replies.includes(WAITS))
    const first = (waiting ?? own.at(-3))?.message.commands[0]?.number ?? 0
    const floor = this.dice.chance(30) ? first : 0
    this.floors.set(actor.session, Math.max(floor, this.floors.get(actor.session) ?? 0))
    return floor
  }

  private expire(): void {
    const { dice, world } = this
    const actor = this.actor()
    const reason = dice.of(["expired", "evicted"] as const)
    world.own("endSession", { inode: world.root, session: actor.session, reason })
    this.replaceIfEnded(actor)
  }

  /** The user comes back with a new session. */
  private replaceIfEnded(actor: Actor): void {
    if (!this.world.live.ended.has(actor.session)) return
    this.actors = this.actors.map((other) => (other === actor ? { ...actor, session: this.nextSession++ } : other))
  }

  private complete({ reply, request, session }: Completion): void {
    for (const { message, replies } of this.asked) {
      if (message.session !== session) continue
      const index = message.commands.findIndex(({ number }) => number === request)
      if (index >= 0) replies[index] = reply
    }
  }

  /** A message comes again: each change that this activation decided, or that happened, has its first answer. */
  private repeat(): void {
    const { dice, world } = this
    if (this.asked.length === 0) return
    const { happened, life, message, replies } = dice.of(this.asked.slice(-20))
    const floor = this.floors.get(message.session) ?? 0
    if (message.commands.some(({ number }) => number < floor)) return
    if (life !== this.life && happened.includes(false)) return
    world.begin()
    const decisions = world.asked({ ...message, floor: 0 })
    if (world.live.ended.has(message.session)) same("the answer to an ended session", decisions, SESSION_ENDED)
    else {
      const again = (decisions as ReadonlyArray<Decision>).map((one) => (one === WAITS ? WAITS : one.reply))
      const changes = (all: ReadonlyArray<unknown>) => all.filter((_, index) => !isRead(commandOf(message, index)))
      same("the answers to a repeated message", changes(again), changes(replies))
    }
    same("the batch of a repeated message", world.commit().batch, undefined)
  }
}

const commandOf = (message: Message, index: number): Command["operation"] =>
  (message.commands[index] as Command).operation

/** Operations that a later command of a message may refer to. */
const makes: ReadonlySet<string> = new Set(["create", "mkdir", "mknod", "symlink"])

const RARE: ReadonlySet<OperationName> = new Set(["endSession", "openSession", "foundZone"])
const OFTEN: ReadonlySet<OperationName> = new Set(["create", "rename", "lock", "unlock", "write", "unlink", "open"])

/** Each operation as often as its weight. */
const WEIGHTED: ReadonlyArray<OperationName> = (Object.keys(requests) as ReadonlyArray<OperationName>).flatMap(
  (name) => Array.from({ length: RARE.has(name) ? 1 : OFTEN.has(name) ? 12 : 4 }, () => name)
)
