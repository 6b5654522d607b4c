/**
 * Tests of operations that read as transcripts: `given(setup...).when(command).happens(events)`, or `.refuses`,
 * `.answers`, `.waits`. A step runs when its outcome is named, since expectations tell of the state before it.
 *
 * Each command is a batch of its own, and each is asked again, of the same activation and of the next one: the
 * answer must be the same, and nothing may happen.
 */
import type * as Batch from "#domain/Batch.ts"
import type { Command, Message } from "#domain/codec/MessageCodec.ts"
import { Decider, type Decision, isRead, SESSION_ENDED, WAITS } from "#domain/Decide.ts"
import { type ErrnoName, nameOf } from "#domain/Errno.ts"
import type { Event } from "#domain/Event.ts"
import type { OperationName, ReplyOf } from "#domain/Operations.ts"
import { same, sameBytes } from "#domain/testing/Same.ts"
import { type Ask, bytesOf, replyOf, World } from "#domain/testing/World.ts"

/** One step of a setup. */
export type Step = (world: World) => void

type Telling<Value> = Value | ((world: World) => Value)

export const given = (...steps: ReadonlyArray<Step>): Given => {
  const world = World.founded()
  for (const step of steps) step(world)
  return new Given(world)
}

export class Given {
  readonly world: World

  constructor(world: World) {
    this.world = world
  }

  when<Name extends OperationName>(asked: Ask<Name>): When<Name> {
    return new When(this.world, asked)
  }

  /** A further step of the setup. */
  and(...steps: ReadonlyArray<Step>): Given {
    for (const step of steps) step(this.world)
    return this
  }
}

export class When<Name extends OperationName> {
  private readonly world: World
  private readonly asked: Ask<Name>

  constructor(world: World, asked: Ask<Name>) {
    this.world = world
    this.asked = asked
  }

  /** The command changes the zone by these events, no more and no less. */
  happens(events: Telling<ReadonlyArray<Event>>): Happened<Name> {
    const expected = told(this.world, events)
    const outcome = perform(this.world, this.asked)
    same("the answer", outcome.errnoName, "none")
    same("the events", outcome.events, expected)
    if (outcome.events.length === 0) throw new Error("nothing happens: that is an answer")
    return new Happened(this.world, outcome)
  }

  refuses(errno: ErrnoName): Given {
    const outcome = perform(this.world, this.asked)
    same("the refusal", outcome.errnoName, errno)
    same("the events", outcome.events, [])
    return new Given(this.world)
  }

  /** The command changes nothing, and is answered. */
  answers(reply: Telling<ReplyOf<Name>>): Given {
    const outcome = perform(this.world, this.asked)
    same("the answer", outcome.errnoName, "none")
    same("the events", outcome.events, [])
    same("the reply", outcome.reply, told(this.world, reply))
    return new Given(this.world)
  }

  /** The command is left waiting; its number is known by the label from then on. */
  waits(label: string, events?: Telling<ReadonlyArray<Event>>): Given {
    const expected = told(this.world, events)
    const outcome = perform(this.world, this.asked)
    same("the answer", outcome.errnoName, "waits")
    if (expected !== undefined) same("the events", outcome.events, expected)
    this.world.call(label, outcome.command.number)
    return new Given(this.world)
  }
}

export class Happened<Name extends OperationName> extends Given {
  private readonly outcome: Outcome

  constructor(world: World, outcome: Outcome) {
    super(world)
    this.outcome = outcome
  }

  replying(reply: Telling<ReplyOf<Name>>): this {
    same("the reply", this.outcome.reply, told(this.world, reply))
    return this
  }

  /** Requests of earlier batches that this command answered, by their labels, in order. */
  completing(...expected: ReadonlyArray<readonly [label: string, outcome: "granted" | ErrnoName]>): this {
    const found = this.outcome.completed.map(({ reply, request }, index) => {
      const label = expected[index]?.[0]
      const errno = reply.charCodeAt(0)
      const isIt = label !== undefined && this.world.the(label) === request
      return [isIt ? label : `request ${request}`, errno === 0 ? "granted" : nameOf(errno)]
    })
    same("completed requests", found, expected)
    return this
  }
}

interface Outcome {
  readonly command: Command
  /** `none` for success. */
  readonly errnoName: string
  readonly reply: unknown
  readonly events: ReadonlyArray<Event>
  readonly completed: ReadonlyArray<Batch.Completion>
}

/** Decides one command as a batch of its own, then asks it twice more. */
export const perform = (world: World, asked: Ask): Outcome => {
  world.begin()
  const message = world.message(asked.actor, [world.command(asked)])
  const command = message.commands[0] as Command
  const decision = world.decide(message)[0] as Decision
  const { batch, completed } = world.commit()
  repeat(world, message, decision)
  const events = batch?.records.flatMap(({ events }) => events) ?? []
  if (decision === WAITS) return { command, errnoName: "waits", reply: undefined, events, completed }
  const { errno, reply } = replyOf(command, decision.reply)
  return { command, errnoName: errno === 0 ? "none" : nameOf(errno), reply, events, completed }
}

/** A step that must go well. */
export const done = <Name extends OperationName>(asked: Ask<Name>, label?: string): Step => (world) => {
  const { command, errnoName } = perform(world, asked)
  if (errnoName !== "none" && errnoName !== "waits") throw new Error(`setup: ${asked.name} is refused: ${errnoName}`)
  if (label !== undefined) world.call(label, command.number)
}

/** The same message again, to the same activation and to one that knows the journal alone. */
const repeat = (world: World, message: Message, first: Decision): void => {
  const command = message.commands[0] as Command
  if (isRead(command.operation)) return
  const ended = world.live.ended.has(message.session)
  const before = bytesOf(world.live)
  for (const decider of [world.decider, new Decider(world.replica)]) {
    const again = decider.decide(message)
    same("the answer to a repeated command", again, ended ? SESSION_ENDED : [first])
    same("the batch of a repeated command", decider.take(), { batch: undefined, completed: [] })
    sameBytes("the state after a repeated command", bytesOf(decider.state), before)
  }
}

const told = <Value>(world: World, value: Telling<Value>): Value =>
  typeof value === "function" ? (value as (world: World) => Value)(world) : value
