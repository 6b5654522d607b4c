/**
 * Questions and answers between a process and a host, many at a time over one connection, which is opened when it
 * is needed and again when it broke. It does not ask twice: a question whose connection breaks is lost.
 */
import { type Accept, type End, type Hello, type Network, whenClosed } from "#simulations/world/Network.ts"
import type { Process } from "#simulations/world/Process.ts"
import { SECOND } from "#simulations/world/World.ts"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** No answer will come. */
export class Lost extends Data.TaggedError("Lost")<{
  readonly reason: string
  /** Whether the other side may have got the question. */
  readonly sent: boolean
  /** Whether the other side will not have it, however often it is asked. */
  readonly refused: boolean
}> {}

const CONNECT_TIME_MAX = 5 * SECOND

interface Envelope {
  readonly number: number
  readonly body: unknown
}

type Settle<Answer> = (result: Effect.Effect<Answer, Lost>) => void

export class Exchange<Question, Answer> {
  private readonly network: Network
  private readonly process: Process
  private readonly host: string
  private readonly hello: Hello
  private end: End | undefined
  private connecting = false
  private next = 0
  private unsent: Array<readonly [number, Question]> = []
  private readonly waiting = new Map<number, Settle<Answer>>()

  constructor(network: Network, process: Process, host: string, hello: Hello) {
    this.network = network
    this.process = process
    this.host = host
    this.hello = hello
  }

  ask(question: Question): Effect.Effect<Answer, Lost> {
    return Effect.async((resume) => {
      const number = this.next++
      this.waiting.set(number, resume)
      if (this.end === undefined) {
        this.unsent.push([number, question])
        this.connect()
      } else this.end.send({ number, body: question } satisfies Envelope)
      return Effect.sync(() => void this.waiting.delete(number))
    })
  }

  private connect(): void {
    if (this.connecting) return
    this.connecting = true
    let isLate = false
    // Whoever was to answer may be dead.
    const cancel = this.process.world.later(CONNECT_TIME_MAX, this.process, () => {
      isLate = true
      this.connecting = false
      const lost = new Lost({ reason: "no connection in time", sent: false, refused: false })
      for (const [number] of this.unsent.splice(0)) this.settle(number, Effect.fail(lost))
    })
    this.network.connect(this.process, this.host, this.hello, (connected) => {
      if (isLate) {
        if ("end" in connected) connected.end.close()
        return
      }
      cancel()
      this.connecting = false
      const unsent = this.unsent
      this.unsent = []
      if ("refused" in connected) {
        const lost = new Lost({ reason: connected.refused, sent: false, refused: !connected.absent })
        for (const [number] of unsent) this.settle(number, Effect.fail(lost))
        return
      }
      const { end } = connected
      this.end = end
      end.onMessage = (message) => {
        const { body, number } = message as Envelope
        this.settle(number, Effect.succeed(body as Answer))
      }
      whenClosed(end, () => {
        if (this.end === end) this.end = undefined
        const lost = new Lost({ reason: "the connection broke", sent: true, refused: false })
        const numbers = [...this.waiting.keys()]
        const pending = new Set(this.unsent.map(([number]) => number))
        for (const number of numbers) if (!pending.has(number)) this.settle(number, Effect.fail(lost))
      })
      for (const [number, body] of unsent) if (this.waiting.has(number)) end.send({ number, body } satisfies Envelope)
    })
  }

  private settle(number: number, result: Effect.Effect<Answer, Lost>): void {
    const resume = this.waiting.get(number)
    if (resume === undefined) return
    this.waiting.delete(number)
    resume(result)
  }
}

/** The other side: answers each question when it can, or never. */
export const answering =
  <Question, Answer>(answer: (question: Question, reply: (answer: Answer) => void) => void): Accept => () => (end) => {
    end.onMessage = (message) => {
      const { body, number } = message as Envelope
      answer(body as Question, (reply) => void end.send({ number, body: reply } satisfies Envelope))
    }
  }
